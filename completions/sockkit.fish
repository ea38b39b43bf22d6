# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_sockkit_global_optspecs
    string join \n json q/quiet v/verbose color= h/help V/version
end

function __fish_sockkit_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_sockkit_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_sockkit_using_subcommand
    set -l cmd (__fish_sockkit_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c sockkit -n "__fish_sockkit_needs_command" -l color -d 'Use colours: auto means on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c sockkit -n "__fish_sockkit_needs_command" -l json -d 'Print events on stdout as JSON, one object a line'
complete -c sockkit -n "__fish_sockkit_needs_command" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors and ready lines'
complete -c sockkit -n "__fish_sockkit_needs_command" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_needs_command" -s h -l help -d 'Print help'
complete -c sockkit -n "__fish_sockkit_needs_command" -s V -l version -d 'Print version'
complete -c sockkit -n "__fish_sockkit_needs_command" -f -a "serve-chat" -d 'Run a chat server that anyone can join with nc, telnet or sockkit chat'
complete -c sockkit -n "__fish_sockkit_needs_command" -f -a "chat" -d 'Join a chat, at a terminal or in a pipe'
complete -c sockkit -n "__fish_sockkit_needs_command" -f -a "inspect" -d 'Show what a host, a socket or a process really has: options, addresses, TCP\'s knowledge'
complete -c sockkit -n "__fish_sockkit_needs_command" -f -a "completions" -d 'Print the completion script for a shell'
complete -c sockkit -n "__fish_sockkit_needs_command" -f -a "man" -d 'Print a manual page'
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l send-buffer -d 'Set the kernel\'s send buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l recv-buffer -d 'Set the kernel\'s receive buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l backlog -d 'Let this many connections wait to be accepted' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l unix-mode -d 'Give Unix sockets these permissions, in octal' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -s o -l sockopt -d 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l idle-timeout -d 'Put out a client that is silent for this long, after a warning; off: never' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l max-clients -d 'Let in this many clients at once' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l max-per-ip -d 'Let in this many clients from one IP address' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l max-rooms -d 'Open this many rooms at most' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l rate -d 'Take this many lines per second from one client, after a burst of so many at once; off: any' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l max-line -d 'Refuse longer lines; 64 bytes to 1 MiB' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l send-queue -d 'Keep this much for a client that does not read' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l slow -d 'When that is full: skip lines and say how many, or kick the client' -r -f -a "skip\t''
kick\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l history -d 'Keep this many lines of each room to show to those who come later' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l history-bytes -d 'Keep no more than this much of each room' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l log -d 'Write what is said to a file per room in this directory, and read it at the start' -r -f -a "(__fish_complete_directories)"
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l log-rotate -d 'Begin a new file when one has this size' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l password-file -d 'Read the password from the first line of this file instead of from SOCKKIT_PASSWORD' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l allow -d 'Let in only addresses in these networks' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l deny -d 'Keep out addresses in these networks, even if they are allowed' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l admin-socket -d 'Listen for operators on this Unix socket, with the permissions 600' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l drain -d 'When told to stop, wait this long for clients to read what is left' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l color -d 'Use colours: auto means on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -s 4 -l ipv4 -d 'Use IPv4 only'
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -s 6 -l ipv6 -d 'Use IPv6 only'
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l reuse-port -d 'Share the port with other processes that ask for the same'
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l json -d 'Print events on stdout as JSON, one object a line'
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors and ready lines'
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -s h -l help -d 'Print help'
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -s n -l nick -d 'Ask for this nick; without it the server gives one' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -s r -l room -d 'Enter this room instead of #lobby; its # may be left out' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l history -d 'Show this many earlier lines on entering, and let them count [default: 20 at a terminal, else 0]' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l password-file -d 'Read the password from the first line of this file instead of from SOCKKIT_PASSWORD' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l send -d 'Send this line instead of reading stdin; may be repeated' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l expect -d 'Wait for a message of others that matches, print the match, and leave' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l count -d 'Leave after this many messages of others, with --expect after so many that match' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l timeout -d 'Give up with status 4 when not done after this long' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l exec -d 'Run this program for each message, without a shell; see the manual for its environment' -r -f -a "(__fish_complete_command)"
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l exec-max -d 'Run at most this many of them at once' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l send-buffer -d 'Set the kernel\'s send buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l recv-buffer -d 'Set the kernel\'s receive buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l connect-timeout -d 'Give up connecting after this long, all addresses of a name together' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -s o -l sockopt -d 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l idle-timeout -d 'Take the connection for dead when nothing comes for this long, not even an answer to a ping; off: never' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l retry -d 'After a cut, try to reconnect for this long, 0 for never [default: 30s, at a terminal without end]' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l color -d 'Use colours: auto means on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l no-history -d 'Show no earlier lines'
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l raw -d 'Talk to any server of lines: no handshake, no acknowledgements, no reconnecting'
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -s f -l follow -d 'Go on printing messages after the end of stdin'
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -s 4 -l ipv4 -d 'Use IPv4 only'
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -s 6 -l ipv6 -d 'Use IPv6 only'
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l json -d 'Print events on stdout as JSON, one object a line'
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors and ready lines'
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -s h -l help -d 'Print help'
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l listen -d 'Listen here and look at the sockets' -r -f -a "(__fish_print_hostnames)"
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l pid -d 'Look at the sockets of this process' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l fd -d 'Look at this descriptor alone: of --pid, else one that sockkit was started with' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l profile -d 'Show a built-in profile' -r -f -a "server\t''
client\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l diff -d 'Show where two differ: a profile, a file that --json wrote, an address to connect to' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l explain -d 'Explain a socket option; without a name list them all' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l address -d 'Show an IP address in every notation: 0x7f000001, 2130706433, fe80::1%eth0' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l watch -d 'Look again and again, so far apart, and print what has changed' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l send-buffer -d 'Set the kernel\'s send buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l recv-buffer -d 'Set the kernel\'s receive buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l connect-timeout -d 'Give up connecting after this long, all addresses of a name together' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -s o -l sockopt -d 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l color -d 'Use colours: auto means on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l all-sockets -d 'List all sockets with their processes'
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l can -d 'Show what this user may do with sockets'
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l all -d 'Show all options of the catalogue, not only the usual ones'
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -s 4 -l ipv4 -d 'Use IPv4 only'
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -s 6 -l ipv6 -d 'Use IPv6 only'
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -l json -d 'Print events on stdout as JSON, one object a line'
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors and ready lines'
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -s h -l help -d 'Print help'
complete -c sockkit -n "__fish_sockkit_using_subcommand completions" -l color -d 'Use colours: auto means on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand completions" -l json -d 'Print events on stdout as JSON, one object a line'
complete -c sockkit -n "__fish_sockkit_using_subcommand completions" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors and ready lines'
complete -c sockkit -n "__fish_sockkit_using_subcommand completions" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_using_subcommand completions" -s h -l help -d 'Print help'
complete -c sockkit -n "__fish_sockkit_using_subcommand man" -l color -d 'Use colours: auto means on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand man" -l json -d 'Print events on stdout as JSON, one object a line'
complete -c sockkit -n "__fish_sockkit_using_subcommand man" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors and ready lines'
complete -c sockkit -n "__fish_sockkit_using_subcommand man" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_using_subcommand man" -s h -l help -d 'Print help'
