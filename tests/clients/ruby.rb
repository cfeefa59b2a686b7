# ffi-rzmq: ruby.rb CONTROL FOLDER. Receives wait with ZMQ::Poller.
require 'ffi-rzmq'

MESSAGES = 200
LIMIT_MS = 60_000
BYTES = ((0..255).map(&:chr).join.b * 400).freeze
$stdout.sync = true

def require_rc(code)
  raise "errno #{ZMQ::Util.errno}: #{ZMQ::Util.error_string}" unless ZMQ::Util.resultcode_ok?(code)
end

def numbered(prefix, i)
  size = i == MESSAGES / 2 ? 100_000 : i * i * 37 % 3000
  ["#{prefix}#{i}".b, BYTES[i % 256, size]]
end

def same(got, expected)
  raise "other parts than of #{expected[0]}: #{got[0]}" unless got.map(&:b) == expected
end

def deliver(socket, parts)
  require_rc socket.send_strings(parts)
end

def receive(socket)
  poller = ZMQ::Poller.new
  poller.register_readable(socket)
  raise 'nothing in time' unless poller.poll(LIMIT_MS) == 1
  parts = []
  require_rc socket.recv_strings(parts, ZMQ::DONTWAIT)
  parts
end

def endpoint_of(socket)
  value = []
  require_rc socket.getsockopt(ZMQ::LAST_ENDPOINT, value)
  value[0].delete("\0")
end

CONTEXT = ZMQ::Context.new
CONTROL = CONTEXT.socket(ZMQ::REQ)
require_rc CONTROL.connect(ARGV[0])

def ask(text)
  deliver(CONTROL, [text])
  receive(CONTROL)[0]
end

def order(text)
  answer = ask(text)
  raise "the peer, asked to #{text}: #{answer}" unless answer.start_with?('ok')
  answer[3..]
end

PLAY = {
  'req' => lambda { |s| MESSAGES.times { |i| deliver(s, numbered('', i)); same(receive(s), numbered('re ', i)) } },
  'rep' => lambda { |s| MESSAGES.times { |i| same(receive(s), numbered('', i)); deliver(s, numbered('re ', i)) } },
  'push' => lambda { |s| MESSAGES.times { |i| deliver(s, numbered('', i)) } },
  'pull' => lambda { |s| MESSAGES.times { |i| same(receive(s), numbered('', i)) } },
  'pub' => lambda { |s|
    deliver(s, ['a.sync', '']) while ask('synced') == 'no'
    MESSAGES.times { |i| deliver(s, numbered(i.odd? ? 'b.' : 'a.', i)) }
    deliver(s, ['a.end', ''])
  },
  'sub' => lambda { |s|
    0.step(MESSAGES - 1, 2) { |i| same(receive(s), numbered('a.', i)) }
    same(receive(s), ['a.end', ''])
  }
}.freeze

puts "client ffi-rzmq #{ZMQ::VERSION}, Ruby #{RUBY_VERSION}"
puts File.readlines('/proc/self/maps').map { |l| l[%r{/\S*/libzmq\.so\S*}] }.compact.uniq.map { |p| "library #{p}" }
jobs = 0
%w[tcp ipc].product([true, false], [%w[req rep], %w[rep req], %w[push pull], %w[pull push], %w[pub sub],
                                    %w[sub pub]]) do |transport, binds, (mine, theirs)|
  socket = CONTEXT.socket(ZMQ.const_get(mine.upcase))
  require_rc socket.setsockopt(ZMQ::SUBSCRIBE, 'a.') if mine == 'sub'
  if binds
    require_rc socket.bind(transport == 'tcp' ? 'tcp://127.0.0.1:*' : "ipc://#{ARGV[1]}/client-#{jobs}")
    order("start #{theirs} connect #{endpoint_of(socket)}")
  else
    require_rc socket.connect(order("start #{theirs} bind #{transport}"))
  end
  PLAY[mine].call(socket)
  order('result')
  require_rc socket.close
  jobs += 1
end

# An empty poll ends in time.
quiet = CONTEXT.socket(ZMQ::PULL)
require_rc quiet.bind('tcp://127.0.0.1:*')
poller = ZMQ::Poller.new
poller.register_readable(quiet)
raise 'an empty socket is ready' unless poller.poll(50).zero?
quiet.close
puts 'did polls with timeouts'

# The peer's requests through a device in a thread, which the end of its context ends.
inner = ZMQ::Context.new
front = inner.socket(ZMQ::ROUTER)
back = inner.socket(ZMQ::DEALER)
require_rc front.bind('tcp://127.0.0.1:*')
require_rc back.bind('tcp://127.0.0.1:*')
worker = CONTEXT.socket(ZMQ::REP)
require_rc worker.connect(endpoint_of(back))
where = endpoint_of(front)
device = Thread.new do
  ZMQ::Device.create(front, back)
  front.close
  back.close
end
order("start req connect #{where}")
PLAY['rep'].call(worker)
order('result')
worker.close
inner.terminate
device.join
puts 'did a device that the end of its context ends'

order('quit')
CONTROL.close
CONTEXT.terminate
puts "jobs #{jobs}", 'done'
