// cppzmq: cppzmq CONTROL FOLDER
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <stdexcept>
#include <string>
#include <sys/epoll.h>
#include <sys/time.h>
#include <thread>
#include <unistd.h>
#include <vector>
#include <zmq.hpp>
#include <zmq_addon.hpp>

namespace
{

constexpr unsigned messages = 200;
constexpr int limit_ms = 60000;

void require(bool holds, const std::string &what)
{
    if (!holds)
        throw std::runtime_error(what);
}

void print_library()
{
    std::ifstream maps("/proc/self/maps");
    std::set<std::string> paths;
    for (std::string line; std::getline(maps, line);)
        if (line.find("/libzmq.so") != std::string::npos)
            paths.insert(line.substr(line.find('/')));
    for (const auto &path : paths)
        std::cout << "library " << path << "\n";
}

std::string body(unsigned number)
{
    std::string bytes(number == messages / 2 ? 100000 : number * number * 37 % 3000, '\0');
    for (size_t at = 0; at < bytes.size(); at++)
        bytes[at] = static_cast<char>(number + at);
    return bytes;
}

void send_numbered(zmq::socket_t &socket, const std::string &prefix, unsigned number)
{
    zmq::multipart_t parts;
    parts.addstr(prefix + std::to_string(number));
    parts.addstr(body(number));
    require(parts.send(socket), "no send in time");
}

void receive_numbered(zmq::socket_t &socket, const std::string &prefix, unsigned number)
{
    zmq::pollitem_t items[] = {{socket.handle(), 0, ZMQ_POLLIN, 0}};
    require(zmq::poll(items, 1, std::chrono::milliseconds(limit_ms)) == 1, "nothing in time");
    std::vector<zmq::message_t> parts;
    require(bool(zmq::recv_multipart(socket, std::back_inserter(parts), zmq::recv_flags::dontwait)),
            "poll said there is a message");
    std::string head = prefix + std::to_string(number);
    require(parts.size() == 2 && parts[0].to_string() == head &&
                parts[1].to_string() == body(number),
            "other parts than of " + head);
}

class client
{
  public:
    client(const std::string &endpoint, const std::string &where)
        : folder(where), control(ctx, zmq::socket_type::req)
    {
        limit(control);
        control.connect(endpoint);
    }

    void run()
    {
        using type = zmq::socket_type;
        for (const std::string transport : {"tcp", "ipc"})
            for (bool binds : {true, false}) {
                job(type::req, "rep", transport, binds, &client::request);
                job(type::rep, "req", transport, binds, &client::reply);
                job(type::push, "pull", transport, binds, &client::push);
                job(type::pull, "push", transport, binds, &client::pull);
                job(type::pub, "sub", transport, binds, &client::publish);
                job(type::sub, "pub", transport, binds, &client::subscribed);
            }
        monitored();
        proxied();
        edges();
        interrupted();
        order("quit");
        control.close();
        terminated();
        std::cout << "jobs " << jobs << "\n";
    }

  private:
    static void limit(zmq::socket_t &socket)
    {
        socket.set(zmq::sockopt::rcvtimeo, limit_ms);
        socket.set(zmq::sockopt::sndtimeo, limit_ms);
    }

    std::string ask(const std::string &text)
    {
        require(bool(control.send(zmq::buffer(text))), "no order in time");
        zmq::message_t answer;
        require(bool(control.recv(answer)), "no answer to " + text);
        return answer.to_string();
    }

    std::string order(const std::string &text)
    {
        std::string answer = ask(text);
        require(answer.compare(0, 2, "ok") == 0, "the peer, asked to " + text + ": " + answer);
        return answer.size() > 3 ? answer.substr(3) : "";
    }

    void request(zmq::socket_t &socket)
    {
        for (unsigned i = 0; i < messages; i++) {
            send_numbered(socket, "", i);
            receive_numbered(socket, "re ", i);
        }
    }

    void reply(zmq::socket_t &socket)
    {
        for (unsigned i = 0; i < messages; i++) {
            receive_numbered(socket, "", i);
            send_numbered(socket, "re ", i);
        }
    }

    void push(zmq::socket_t &socket)
    {
        for (unsigned i = 0; i < messages; i++)
            send_numbered(socket, "", i);
    }

    void pull(zmq::socket_t &socket)
    {
        for (unsigned i = 0; i < messages; i++)
            receive_numbered(socket, "", i);
    }

    void publish(zmq::socket_t &socket)
    {
        do {
            socket.send(zmq::str_buffer("a.sync"), zmq::send_flags::sndmore);
            socket.send(zmq::const_buffer());
        } while (ask("synced") == "no");
        for (unsigned i = 0; i < messages; i++)
            send_numbered(socket, i % 2 ? "b." : "a.", i);
        socket.send(zmq::str_buffer("a.end"), zmq::send_flags::sndmore);
        socket.send(zmq::const_buffer());
    }

    void subscribed(zmq::socket_t &socket)
    {
        for (unsigned i = 0; i < messages; i += 2)
            receive_numbered(socket, "a.", i);
        zmq::multipart_t end(socket);
        require(end.size() == 2 && end.peekstr(0) == "a.end", "no end");
    }

    void job(zmq::socket_type mine, const std::string &theirs, const std::string &transport,
             bool binds, void (client::*play)(zmq::socket_t &))
    {
        zmq::socket_t socket(ctx, mine);
        limit(socket);
        if (mine == zmq::socket_type::sub)
            socket.set(zmq::sockopt::subscribe, "a.");
        if (binds) {
            socket.bind(transport == "tcp" ? "tcp://127.0.0.1:*"
                                           : "ipc://" + folder + "/client-" + std::to_string(jobs));
            order("start " + theirs + " connect " + socket.get(zmq::sockopt::last_endpoint));
        } else {
            socket.connect(order("start " + theirs + " bind " + transport));
        }
        (this->*play)(socket);
        order("result");
        jobs++;
    }

    // A monitor_t, which is told of each event by its own kind.
    void monitored()
    {
        struct monitor : zmq::monitor_t {
            std::vector<std::string> seen;
            void on_event_listening(const zmq_event_t &, const char *endpoint) override
            {
                seen.push_back(std::string("listening ") + endpoint);
            }
            void on_event_accepted(const zmq_event_t &, const char *) override
            {
                seen.push_back("accepted");
            }
            void on_event_handshake_succeeded(const zmq_event_t &, const char *) override
            {
                seen.push_back("succeeded");
            }
            void on_event_disconnected(const zmq_event_t &, const char *) override
            {
                seen.push_back("disconnected");
            }
        };
        zmq::socket_t socket(ctx, zmq::socket_type::pull);
        limit(socket);
        // Ends before its socket: the I/O thread of libzmq waits for ever if it has an event of a
        // closed socket to tell when the monitor ends, whoever the peer is.
        monitor watcher;
        watcher.init(socket, "inproc://monitor", ZMQ_EVENT_ALL);
        socket.bind("tcp://127.0.0.1:*");
        std::string endpoint = socket.get(zmq::sockopt::last_endpoint);
        order("start push connect " + endpoint);
        pull(socket);
        order("result");
        std::vector<std::string> expected = {"listening " + endpoint, "accepted", "succeeded",
                                             "disconnected"};
        while (watcher.seen.size() < expected.size())
            require(watcher.check_event(limit_ms), "no event in time");
        require(watcher.seen == expected, "other events");
        std::cout << "did a monitor\n";
    }

    // The peer's requests through a steerable proxy, until the proxy is told to end.
    void proxied()
    {
        zmq::socket_t front(ctx, zmq::socket_type::router), back(ctx, zmq::socket_type::dealer);
        zmq::socket_t steer(ctx, zmq::socket_type::pair), wheel(ctx, zmq::socket_type::pair);
        front.bind("tcp://127.0.0.1:*");
        std::string endpoint = front.get(zmq::sockopt::last_endpoint);
        back.bind("inproc://back");
        steer.bind("inproc://steer");
        wheel.connect("inproc://steer");
        std::thread proxy([&] { zmq::proxy_steerable(front, back, zmq::socket_ref(), steer); });
        zmq::socket_t worker(ctx, zmq::socket_type::rep);
        limit(worker);
        worker.connect("inproc://back");
        try {
            order("start req connect " + endpoint);
            reply(worker);
            order("result");
        } catch (const std::exception &error) {
            std::cerr << "through the proxy: " << error.what() << "\n";
            std::_Exit(1);
        }
        wheel.send(zmq::str_buffer("TERMINATE"));
        proxy.join();
        std::cout << "did a steerable proxy\n";
    }

    // An event loop over ZMQ_FD that is told of edges only.
    void edges()
    {
        zmq::socket_t socket(ctx, zmq::socket_type::pull);
        socket.bind("tcp://127.0.0.1:*");
        int loop = epoll_create1(0);
        epoll_event event = {};
        event.events = EPOLLIN | EPOLLET;
        require(epoll_ctl(loop, EPOLL_CTL_ADD, socket.get(zmq::sockopt::fd), &event) == 0, "epoll");
        order("start push connect " + socket.get(zmq::sockopt::last_endpoint));
        for (unsigned i = 0; i < messages;) {
            if (socket.get(zmq::sockopt::events) & ZMQ_POLLIN)
                receive_numbered(socket, "", i++);
            else
                require(epoll_wait(loop, &event, 1, limit_ms) == 1, "no edge in time");
        }
        order("result");
        close(loop);
        std::cout << "did a loop over an edge-triggered descriptor\n";
    }

    // A signal without SA_RESTART ends a receive and a poll by EINTR.
    void interrupted()
    {
        struct sigaction action = {}, before;
        action.sa_handler = [](int) {};
        sigaction(SIGALRM, &action, &before);
        itimerval often = {{0, 20000}, {0, 20000}}, never = {};
        setitimer(ITIMER_REAL, &often, nullptr);
        zmq::socket_t socket(ctx, zmq::socket_type::pull);
        socket.bind("tcp://127.0.0.1:*");
        int thrown = 0;
        try {
            zmq::message_t message;
            (void)socket.recv(message);
        } catch (const zmq::error_t &error) {
            thrown += error.num() == EINTR;
        }
        try {
            zmq::pollitem_t items[] = {{socket.handle(), 0, ZMQ_POLLIN, 0}};
            zmq::poll(items, 1, std::chrono::milliseconds(-1));
        } catch (const zmq::error_t &error) {
            thrown += error.num() == EINTR;
        }
        setitimer(ITIMER_REAL, &never, nullptr);
        sigaction(SIGALRM, &before, nullptr);
        require(thrown == 2, "no EINTR");
        std::cout << "did EINTR\n";
    }

    // The context ends while a thread waits: the thread is told, closes, and close returns.
    void terminated()
    {
        zmq::socket_t ready(ctx, zmq::socket_type::pair);
        ready.bind("inproc://ready");
        bool told = false;
        std::thread waits([&] {
            zmq::socket_t socket(ctx, zmq::socket_type::pull);
            socket.bind("tcp://127.0.0.1:*");
            zmq::socket_t tell(ctx, zmq::socket_type::pair);
            tell.connect("inproc://ready");
            tell.send(zmq::str_buffer("waits"));
            try {
                zmq::message_t message;
                (void)socket.recv(message);
            } catch (const zmq::error_t &error) {
                told = error.num() == ETERM;
            }
        });
        zmq::message_t message;
        require(bool(ready.recv(message)), "no thread");
        ready.close();
        ctx.shutdown();
        ctx.close();
        waits.join();
        require(told, "recv was not told that the context ends");
        std::cout << "did the end of a context with open sockets\n";
    }

    zmq::context_t ctx;
    std::string folder;
    zmq::socket_t control;
    unsigned jobs = 0;
};

} // namespace

int main(int count, char **arguments)
{
    try {
        require(count == 3, "cppzmq CONTROL FOLDER");
        std::cout << "client cppzmq " << CPPZMQ_VERSION_MAJOR << "." << CPPZMQ_VERSION_MINOR << "."
                  << CPPZMQ_VERSION_PATCH << "\n";
        print_library();
        client(arguments[1], arguments[2]).run();
    } catch (const std::exception &error) {
        std::cerr << error.what() << "\n";
        std::_Exit(1);
    }
    std::cout << "done\n";
    return 0;
}
