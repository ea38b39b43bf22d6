
use builtin;
use str;

set edit:completion:arg-completer[sockkit] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'sockkit'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'sockkit'= {
            cand --color 'Use colours: auto means on a terminal, unless NO_COLOR is set'
            cand --json 'Print events on stdout as JSON, one object a line'
            cand -q 'Print no notes on stderr and no log lines, only errors and ready lines'
            cand --quiet 'Print no notes on stderr and no log lines, only errors and ready lines'
            cand -v 'Tell more on stderr; twice for details'
            cand --verbose 'Tell more on stderr; twice for details'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand serve-chat 'Run a chat server that anyone can join with nc, telnet or sockkit chat'
            cand chat 'Join a chat, at a terminal or in a pipe'
            cand inspect 'Show what a host, a socket or a process really has: options, addresses, TCP''s knowledge'
            cand completions 'Print the completion script for a shell'
            cand man 'Print a manual page'
        }
        &'sockkit;serve-chat'= {
            cand --send-buffer 'Set the kernel''s send buffer to this size instead of letting it tune itself'
            cand --recv-buffer 'Set the kernel''s receive buffer to this size instead of letting it tune itself'
            cand --backlog 'Let this many connections wait to be accepted'
            cand --unix-mode 'Give Unix sockets these permissions, in octal'
            cand -o 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated'
            cand --sockopt 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated'
            cand --idle-timeout 'Put out a client that is silent for this long, after a warning; off: never'
            cand --max-clients 'Let in this many clients at once'
            cand --max-per-ip 'Let in this many clients from one IP address'
            cand --max-rooms 'Open this many rooms at most'
            cand --rate 'Take this many lines per second from one client, after a burst of so many at once; off: any'
            cand --max-line 'Refuse longer lines; 64 bytes to 1 MiB'
            cand --send-queue 'Keep this much for a client that does not read'
            cand --slow 'When that is full: skip lines and say how many, or kick the client'
            cand --history 'Keep this many lines of each room to show to those who come later'
            cand --history-bytes 'Keep no more than this much of each room'
            cand --log 'Write what is said to a file per room in this directory, and read it at the start'
            cand --log-rotate 'Begin a new file when one has this size'
            cand --password-file 'Read the password from the first line of this file instead of from SOCKKIT_PASSWORD'
            cand --allow 'Let in only addresses in these networks'
            cand --deny 'Keep out addresses in these networks, even if they are allowed'
            cand --admin-socket 'Listen for operators on this Unix socket, with the permissions 600'
            cand --drain 'When told to stop, wait this long for clients to read what is left'
            cand --color 'Use colours: auto means on a terminal, unless NO_COLOR is set'
            cand -4 'Use IPv4 only'
            cand --ipv4 'Use IPv4 only'
            cand -6 'Use IPv6 only'
            cand --ipv6 'Use IPv6 only'
            cand --reuse-port 'Share the port with other processes that ask for the same'
            cand --json 'Print events on stdout as JSON, one object a line'
            cand -q 'Print no notes on stderr and no log lines, only errors and ready lines'
            cand --quiet 'Print no notes on stderr and no log lines, only errors and ready lines'
            cand -v 'Tell more on stderr; twice for details'
            cand --verbose 'Tell more on stderr; twice for details'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockkit;chat'= {
            cand -n 'Ask for this nick; without it the server gives one'
            cand --nick 'Ask for this nick; without it the server gives one'
            cand -r 'Enter this room instead of #lobby; its # may be left out'
            cand --room 'Enter this room instead of #lobby; its # may be left out'
            cand --history 'Show this many earlier lines on entering, and let them count [default: 20 at a terminal, else 0]'
            cand --password-file 'Read the password from the first line of this file instead of from SOCKKIT_PASSWORD'
            cand --send 'Send this line instead of reading stdin; may be repeated'
            cand --expect 'Wait for a message of others that matches, print the match, and leave'
            cand --count 'Leave after this many messages of others, with --expect after so many that match'
            cand --timeout 'Give up with status 4 when not done after this long'
            cand --exec 'Run this program for each message, without a shell; see the manual for its environment'
            cand --exec-max 'Run at most this many of them at once'
            cand --send-buffer 'Set the kernel''s send buffer to this size instead of letting it tune itself'
            cand --recv-buffer 'Set the kernel''s receive buffer to this size instead of letting it tune itself'
            cand --connect-timeout 'Give up connecting after this long, all addresses of a name together'
            cand -o 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated'
            cand --sockopt 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated'
            cand --idle-timeout 'Take the connection for dead when nothing comes for this long, not even an answer to a ping; off: never'
            cand --retry 'After a cut, try to reconnect for this long, 0 for never [default: 30s, at a terminal without end]'
            cand --color 'Use colours: auto means on a terminal, unless NO_COLOR is set'
            cand --no-history 'Show no earlier lines'
            cand --raw 'Talk to any server of lines: no handshake, no acknowledgements, no reconnecting'
            cand -f 'Go on printing messages after the end of stdin'
            cand --follow 'Go on printing messages after the end of stdin'
            cand -4 'Use IPv4 only'
            cand --ipv4 'Use IPv4 only'
            cand -6 'Use IPv6 only'
            cand --ipv6 'Use IPv6 only'
            cand --json 'Print events on stdout as JSON, one object a line'
            cand -q 'Print no notes on stderr and no log lines, only errors and ready lines'
            cand --quiet 'Print no notes on stderr and no log lines, only errors and ready lines'
            cand -v 'Tell more on stderr; twice for details'
            cand --verbose 'Tell more on stderr; twice for details'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockkit;inspect'= {
            cand --listen 'Listen here and look at the sockets'
            cand --pid 'Look at the sockets of this process'
            cand --fd 'Look at this descriptor alone: of --pid, else one that sockkit was started with'
            cand --profile 'Show a built-in profile'
            cand --diff 'Show where two differ: a profile, a file that --json wrote, an address to connect to'
            cand --explain 'Explain a socket option; without a name list them all'
            cand --address 'Show an IP address in every notation: 0x7f000001, 2130706433, fe80::1%eth0'
            cand --watch 'Look again and again, so far apart, and print what has changed'
            cand --send-buffer 'Set the kernel''s send buffer to this size instead of letting it tune itself'
            cand --recv-buffer 'Set the kernel''s receive buffer to this size instead of letting it tune itself'
            cand --connect-timeout 'Give up connecting after this long, all addresses of a name together'
            cand -o 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated'
            cand --sockopt 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated'
            cand --color 'Use colours: auto means on a terminal, unless NO_COLOR is set'
            cand --all-sockets 'List all sockets with their processes'
            cand --can 'Show what this user may do with sockets'
            cand --all 'Show all options of the catalogue, not only the usual ones'
            cand -4 'Use IPv4 only'
            cand --ipv4 'Use IPv4 only'
            cand -6 'Use IPv6 only'
            cand --ipv6 'Use IPv6 only'
            cand --json 'Print events on stdout as JSON, one object a line'
            cand -q 'Print no notes on stderr and no log lines, only errors and ready lines'
            cand --quiet 'Print no notes on stderr and no log lines, only errors and ready lines'
            cand -v 'Tell more on stderr; twice for details'
            cand --verbose 'Tell more on stderr; twice for details'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockkit;completions'= {
            cand --color 'Use colours: auto means on a terminal, unless NO_COLOR is set'
            cand --json 'Print events on stdout as JSON, one object a line'
            cand -q 'Print no notes on stderr and no log lines, only errors and ready lines'
            cand --quiet 'Print no notes on stderr and no log lines, only errors and ready lines'
            cand -v 'Tell more on stderr; twice for details'
            cand --verbose 'Tell more on stderr; twice for details'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'sockkit;man'= {
            cand --color 'Use colours: auto means on a terminal, unless NO_COLOR is set'
            cand --json 'Print events on stdout as JSON, one object a line'
            cand -q 'Print no notes on stderr and no log lines, only errors and ready lines'
            cand --quiet 'Print no notes on stderr and no log lines, only errors and ready lines'
            cand -v 'Tell more on stderr; twice for details'
            cand --verbose 'Tell more on stderr; twice for details'
            cand -h 'Print help'
            cand --help 'Print help'
        }
    ]
    $completions[$command]
}
