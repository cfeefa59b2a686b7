#!/usr/bin/perl
# ZMQ::FFI: perl.pl CONTROL FOLDER. Receives wait with select on the edge-triggered descriptor.
use strict;
use warnings;
use Time::HiRes qw(ualarm);
use ZMQ::FFI;
use ZMQ::FFI::Constants qw(:all);

my ($endpoint, $folder) = @ARGV;
my ($messages, $limit) = (200, 60);
my $bytes = join('', map { chr } 0 .. 255) x 400;
my $jobs = 0;
$| = 1;

sub print_library {
    my %paths;
    open my $maps, '<', '/proc/self/maps' or die;
    while (<$maps>) { $paths{$1} = 1 if m{(/\S*/libzmq\.so\S*)} }
    print "library $_\n" for keys %paths;
}

sub numbered {
    my ($prefix, $i) = @_;
    my $size = $i == $messages / 2 ? 100000 : $i * $i * 37 % 3000;
    return ["$prefix$i", substr($bytes, $i % 256, $size)];
}

sub wait_readable {
    my ($socket) = @_;
    until ($socket->has_pollin) {
        my $bits = '';
        vec($bits, $socket->get_fd, 1) = 1;
        select($bits, undef, undef, $limit) > 0 or die "nothing in time";
    }
}

sub receive { my ($socket) = @_; wait_readable($socket); return [$socket->recv_multipart] }

sub same {
    my ($got, $expected) = @_;
    @$got == @$expected && !grep { $got->[$_] ne $expected->[$_] } 0 .. $#$got
        or die "other parts than of $expected->[0]: $got->[0]";
}

my $context = ZMQ::FFI->new(soname => 'libzmq.so.5'); # By itself it looks in the system's folders only.
my $control = $context->socket(ZMQ_REQ);
$control->connect($endpoint);

sub ask { $control->send($_[0]); return receive($control)->[0] }

sub order {
    my $answer = ask($_[0]);
    $answer =~ /^ok ?(.*)/ or die "the peer, asked to $_[0]: $answer";
    return $1;
}

my %play = (
    req => sub { for (0 .. $messages - 1) {
        $_[0]->send_multipart(numbered('', $_)); same(receive($_[0]), numbered('re ', $_)) } },
    rep => sub { for (0 .. $messages - 1) {
        same(receive($_[0]), numbered('', $_)); $_[0]->send_multipart(numbered('re ', $_)) } },
    push => sub { $_[0]->send_multipart(numbered('', $_)) for 0 .. $messages - 1 },
    pull => sub { same(receive($_[0]), numbered('', $_)) for 0 .. $messages - 1 },
    pub => sub {
        $_[0]->send_multipart(['a.sync', '']) while ask('synced') eq 'no';
        $_[0]->send_multipart(numbered($_ % 2 ? 'b.' : 'a.', $_)) for 0 .. $messages - 1;
        $_[0]->send_multipart(['a.end', '']);
    },
    sub => sub {
        same(receive($_[0]), numbered('a.', 2 * $_)) for 0 .. $messages / 2 - 1;
        same(receive($_[0]), ['a.end', '']);
    },
);
my %types = (req => ZMQ_REQ, rep => ZMQ_REP, push => ZMQ_PUSH, pull => ZMQ_PULL, pub => ZMQ_PUB,
             sub => ZMQ_SUB);

print "client ZMQ::FFI $ZMQ::FFI::VERSION, Perl $^V\n";
print_library();
for my $transport ('tcp', 'ipc') {
    for my $binds (1, 0) {
        for (['req', 'rep'], ['rep', 'req'], ['push', 'pull'], ['pull', 'push'], ['pub', 'sub'],
             ['sub', 'pub']) {
            my ($mine, $theirs) = @$_;
            my $socket = $context->socket($types{$mine});
            $socket->subscribe('a.') if $mine eq 'sub';
            if ($binds) {
                $socket->bind($transport eq 'tcp' ? 'tcp://127.0.0.1:*'
                                                  : "ipc://$folder/client-$jobs");
                my $bound = $socket->get(ZMQ_LAST_ENDPOINT, 'string');
                order("start $theirs connect $bound");
            } else {
                $socket->connect(order("start $theirs bind $transport"));
            }
            $play{$mine}->($socket);
            order('result');
            $socket->close;
            $jobs++;
        }
    }
}
print "did a loop over an edge-triggered descriptor\n";

# A child that inherits the context and ends must not disturb its parent.
my $child = fork;
exit 0 if $child == 0;
waitpid $child, 0;
$? == 0 or die "the child ended with $?";
ask('synced');
print "did a fork\n";

# A signal ends a receive by EINTR.
my $quiet = $context->socket(ZMQ_PULL);
$quiet->bind('tcp://127.0.0.1:*');
$quiet->die_on_error(0);
local $SIG{ALRM} = sub { };
ualarm(50_000, 50_000);
$quiet->recv;
$quiet->has_error && $quiet->last_errno == 4 or die "no EINTR but " . $quiet->last_strerror;
ualarm(0);
$quiet->close;
print "did EINTR\n";

order('quit');
$control->close;
$context->destroy;
print "jobs $jobs\ndone\n";
