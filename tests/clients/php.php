<?php
// php-zmq: php.php CONTROL FOLDER. Receives wait with ZMQPoll.
const MESSAGES = 200;
const LIMIT_MS = 60000;
set_error_handler(function ($number, $text) {
    throw new ErrorException($text);
});
$bytes = str_repeat(implode('', array_map('chr', range(0, 255))), 400);

function numbered($prefix, $i)
{
    global $bytes;
    $size = $i == MESSAGES / 2 ? 100000 : $i * $i * 37 % 3000;
    return ["$prefix$i", substr($bytes, $i % 256, $size)];
}

function same($got, $expected)
{
    if ($got !== $expected) {
        throw new Exception("other parts than of $expected[0]: $got[0]");
    }
}

function receive($socket)
{
    $poll = new ZMQPoll();
    $poll->add($socket, ZMQ::POLL_IN);
    $readable = $writable = [];
    if ($poll->poll($readable, $writable, LIMIT_MS) != 1) {
        throw new Exception('nothing in time');
    }
    return $socket->recvMulti(ZMQ::MODE_DONTWAIT);
}

function ask($text)
{
    global $control;
    $control->send($text);
    return receive($control)[0];
}

function order($text)
{
    $answer = ask($text);
    if (substr($answer, 0, 2) != 'ok') {
        throw new Exception("the peer, asked to $text: $answer");
    }
    return substr($answer, 3);
}

function play($mine, $socket)
{
    if ($mine == 'pub') {
        while (ask('synced') == 'no') {
            $socket->sendMulti(['a.sync', '']);
        }
    }
    for ($i = 0; $i < MESSAGES; $i++) {
        if ($mine == 'req') {
            $socket->sendMulti(numbered('', $i));
            same(receive($socket), numbered('re ', $i));
        } elseif ($mine == 'rep') {
            same(receive($socket), numbered('', $i));
            $socket->sendMulti(numbered('re ', $i));
        } elseif ($mine == 'push') {
            $socket->sendMulti(numbered('', $i));
        } elseif ($mine == 'pull') {
            same(receive($socket), numbered('', $i));
        } elseif ($mine == 'pub') {
            $socket->sendMulti(numbered($i % 2 ? 'b.' : 'a.', $i));
        } elseif ($i % 2 == 0) {
            same(receive($socket), numbered('a.', $i));
        }
    }
    if ($mine == 'pub') {
        $socket->sendMulti(['a.end', '']);
    } elseif ($mine == 'sub') {
        same(receive($socket), ['a.end', '']);
    }
}

echo 'client php-zmq ', phpversion('zmq'), ', PHP ', PHP_VERSION, "\n";
preg_match_all('{/\S*/libzmq\.so\S*}', file_get_contents('/proc/self/maps'), $paths);
foreach (array_unique($paths[0]) as $path) {
    echo "library $path\n";
}
$context = new ZMQContext(1, false);
$control = $context->getSocket(ZMQ::SOCKET_REQ);
$control->connect($argv[1]);
$jobs = 0;
foreach (['tcp', 'ipc'] as $transport) {
    foreach ([true, false] as $binds) {
        foreach (['req' => 'rep', 'rep' => 'req', 'push' => 'pull', 'pull' => 'push',
                  'pub' => 'sub', 'sub' => 'pub'] as $mine => $theirs) {
            $socket = $context->getSocket(constant('ZMQ::SOCKET_' . strtoupper($mine)));
            if ($mine == 'sub') {
                $socket->setSockOpt(ZMQ::SOCKOPT_SUBSCRIBE, 'a.');
            }
            if ($binds) {
                $socket->bind($transport == 'tcp' ? 'tcp://127.0.0.1:*'
                                                  : "ipc://$argv[2]/client-$jobs");
                $endpoint = $socket->getSockOpt(ZMQ::SOCKOPT_LAST_ENDPOINT);
                order("start $theirs connect $endpoint");
            } else {
                $socket->connect(order("start $theirs bind $transport"));
            }
            play($mine, $socket);
            order('result');
            unset($socket);
            $jobs++;
        }
    }
}

// A device passes the requests of the peer to a worker, which answers from the timer's callback.
$front = $context->getSocket(ZMQ::SOCKET_ROUTER);
$front->bind('tcp://127.0.0.1:*');
$back = $context->getSocket(ZMQ::SOCKET_DEALER);
$back->bind('inproc://back');
$worker = $context->getSocket(ZMQ::SOCKET_REP);
$worker->connect('inproc://back');
order('start req connect ' . $front->getSockOpt(ZMQ::SOCKOPT_LAST_ENDPOINT));
$answered = 0;
$device = new ZMQDevice($front, $back);
$device->setTimerCallback(function () use (&$answered, $worker) {
    while (($request = $worker->recvMulti(ZMQ::MODE_DONTWAIT)) !== false) {
        same($request, numbered('', $answered));
        $worker->sendMulti(numbered('re ', $answered++));
    }
    return $answered < MESSAGES;
}, 1);
$device->run();
// The last reply may still be in the backend.
$front->sendMulti(receive($back));
order('result');
echo "did a device with callbacks\n";
order('quit');
echo "jobs $jobs\ndone\n";
