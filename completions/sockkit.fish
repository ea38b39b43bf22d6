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
complete -c sockkit -n "__fish_sockkit_needs_command" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors, ready lines and the warning of --insecure'
complete -c sockkit -n "__fish_sockkit_needs_command" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_needs_command" -s h -l help -d 'Print help'
complete -c sockkit -n "__fish_sockkit_needs_command" -s V -l version -d 'Print version'
complete -c sockkit -n "__fish_sockkit_needs_command" -f -a "serve-chat" -d 'Run a chat server that anyone can join with nc, telnet or sockkit chat'
complete -c sockkit -n "__fish_sockkit_needs_command" -f -a "chat" -d 'Join a chat, at a terminal or in a pipe'
complete -c sockkit -n "__fish_sockkit_needs_command" -f -a "send-file" -d 'Send files and directories, verified and resumed'
complete -c sockkit -n "__fish_sockkit_needs_command" -f -a "recv-file" -d 'Receive files and directories into a directory'
complete -c sockkit -n "__fish_sockkit_needs_command" -f -a "echo" -d 'Run an echo server for TCP, TLS, UDP and Unix sockets, which can misbehave on purpose'
complete -c sockkit -n "__fish_sockkit_needs_command" -f -a "ping" -d 'Measure and verify an echo server: round trips, loss, corruption'
complete -c sockkit -n "__fish_sockkit_needs_command" -f -a "inspect" -d 'Show what a host, a socket or a process really has: options, addresses, TCP\'s knowledge'
complete -c sockkit -n "__fish_sockkit_needs_command" -f -a "completions" -d 'Print the completion script for a shell'
complete -c sockkit -n "__fish_sockkit_needs_command" -f -a "man" -d 'Print a manual page'
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l send-buffer -d 'Set the kernel\'s send buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l recv-buffer -d 'Set the kernel\'s receive buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l backlog -d 'Let this many connections wait to be accepted' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l unix-mode -d 'Give Unix sockets these permissions, in octal' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l cert -d 'Show this certificate on tls:// addresses: PEM, with those behind it that lead to a root; SIGHUP reads it again' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l key -d 'Its private key: PEM, not encrypted' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l client-ca -d 'Let in only clients with a certificate that one in this file has signed; SIGHUP reads it again' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -s o -l sockopt -d 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l idle-timeout -d 'Put out a client that is silent for this long, after a warning; off: never' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l max-clients -d 'Let in this many clients at once' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l max-per-ip -d 'Let in this many clients from one IP address, or one /64 of IPv6' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l max-rooms -d 'Keep this many rooms at most; those that are empty make way' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l rate -d 'Take this many lines per second from one client, after a burst of so many at once; off: any' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l max-line -d 'Refuse longer lines; 64 bytes to 1 MiB' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l send-queue -d 'Keep this much for a client that does not read; at least 8 times --max-line' -r
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
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l self-signed -d 'Make a certificate, keep it, and say its fingerprint, by which clients know the server'
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l ephemeral -d 'Make a new one each time instead of keeping it'
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -l json -d 'Print events on stdout as JSON, one object a line'
complete -c sockkit -n "__fish_sockkit_using_subcommand serve-chat" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors, ready lines and the warning of --insecure'
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
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l ca -d 'Trust a tls:// server whose certificate one in this file has signed, and no other' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l fingerprint -d 'Trust a server with this very certificate, whoever has signed it; may be repeated' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l server-name -d 'Expect this name in the certificate instead of the host\'s' -r -f -a "(__fish_print_hostnames)"
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l client-cert -d 'Show this certificate to a server that asks for one: PEM' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l client-key -d 'Its private key: PEM, not encrypted' -r -F
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
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l insecure -d 'Trust any certificate: whoever is on the way can read and change everything. Warns each time, with --quiet too'
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -l json -d 'Print events on stdout as JSON, one object a line'
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors, ready lines and the warning of --insecure'
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_using_subcommand chat" -s h -l help -d 'Print help'
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l name -d 'What stdin is called at the receiver' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l exclude -d 'Leave out what matches, and everything beneath it; may be repeated' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l include -d 'Send only files that match; may be repeated' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l sums -d 'Write the digests of what was transferred to this file, as sha256sum -c reads them' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l links -d 'Symbolic links: keep them, skip them, or follow them and send what they point at' -r -f -a "keep\t''
skip\t''
follow\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l code-file -d 'Read the code from the first line of this file instead of from SOCKKIT_CODE' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l code-fd -d 'Read it from the first line of this open file descriptor' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l send-buffer -d 'Set the kernel\'s send buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l recv-buffer -d 'Set the kernel\'s receive buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l connect-timeout -d 'Connecting: give up after this long, all addresses of a name together [default: 10s]' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l backlog -d 'Listening: let this many connections wait to be accepted [default: 1024]' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l unix-mode -d 'Listening: give Unix sockets these permissions, in octal [default: 600]' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l retry -d 'After a cut, try to go on for this long without progress; 0: never' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l stall-timeout -d 'Take the connection for broken when nothing gets on for this long; off: never' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l idle-timeout -d 'Take the connection for broken when the other end says nothing for this long; off: never' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l limit-rate -d 'Transfer no more than this much a second' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -s o -l sockopt -d 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l color -d 'Use colours: auto means on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l listen -d 'Wait for the receiver to connect instead of connecting'
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l one-file-system -d 'Stay within the file systems of the arguments'
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l dry-run -d 'Send nothing: say of each file what would be sent and what is there already'
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l qr -d 'Show it as a QR code too'
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l plain -d 'Use no code and do not encrypt: whoever is on the way can read and change everything'
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -s 4 -l ipv4 -d 'Use IPv4 only'
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -s 6 -l ipv6 -d 'Use IPv6 only'
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l reuse-port -d 'Listening: share the port with other processes that ask for the same'
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -l json -d 'Print events on stdout as JSON, one object a line'
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors, ready lines and the warning of --insecure'
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_using_subcommand send-file" -s h -l help -d 'Print help'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -s d -l directory -d 'Store beneath this directory' -r -f -a "(__fish_complete_directories)"
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -s o -l output -d 'Store the one file that comes under this name, or pass it to stdout with -' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l max-sessions -d 'Take in this many senders at once' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l on-receive -d 'Run this program for each file that was stored, without a shell; see the manual for its environment' -r -f -a "(__fish_complete_command)"
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l max-size -d 'Refuse larger files' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l max-files -d 'Refuse more files, directories and links than this from one sender' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l quota -d 'Take in no more than this much altogether; a directory counts 4 KiB' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l sums -d 'Write the digests of what was transferred to this file, as sha256sum -c reads them' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l links -d 'Symbolic links: keep them, skip them, or follow them and send what they point at' -r -f -a "keep\t''
skip\t''
follow\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l code-file -d 'Read the code from the first line of this file instead of from SOCKKIT_CODE' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l code-fd -d 'Read it from the first line of this open file descriptor' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l send-buffer -d 'Set the kernel\'s send buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l recv-buffer -d 'Set the kernel\'s receive buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l connect-timeout -d 'Connecting: give up after this long, all addresses of a name together [default: 10s]' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l backlog -d 'Listening: let this many connections wait to be accepted [default: 1024]' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l unix-mode -d 'Listening: give Unix sockets these permissions, in octal [default: 600]' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l retry -d 'After a cut, try to go on for this long without progress; 0: never' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l stall-timeout -d 'Take the connection for broken when nothing gets on for this long; off: never' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l idle-timeout -d 'Take the connection for broken when the other end says nothing for this long; off: never' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l limit-rate -d 'Transfer no more than this much a second' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l sockopt -d 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l color -d 'Use colours: auto means on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l connect -d 'Connect to a send-file --listen instead of waiting'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -s k -l keep-open -d 'Go on after the first sender, and take in several at once'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l overwrite -d 'Replace files that exist and differ'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l rename -d 'Store under another name, such as name (1).txt'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l update -d 'Replace files that are older'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l no-fsync -d 'Do not wait until what came is safe on disk'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l ignore-space -d 'Begin files also where there seems to be too little free space'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l qr -d 'Show it as a QR code too'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l plain -d 'Use no code and do not encrypt: whoever is on the way can read and change everything'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -s 4 -l ipv4 -d 'Use IPv4 only'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -s 6 -l ipv6 -d 'Use IPv6 only'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l reuse-port -d 'Listening: share the port with other processes that ask for the same'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -l json -d 'Print events on stdout as JSON, one object a line'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors, ready lines and the warning of --insecure'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_using_subcommand recv-file" -s h -l help -d 'Print help'
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l prefix -d 'Send back with this text before each line or datagram, which is cut in the same way' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l count -d 'Serve this many connections and datagrams and exit' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l stats -d 'Print what was counted so far this often; SIGUSR1 asks for it once' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -s o -l sockopt -d 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l send-buffer -d 'Set the kernel\'s send buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l recv-buffer -d 'Set the kernel\'s receive buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l backlog -d 'Let this many connections wait to be accepted' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l unix-mode -d 'Give Unix sockets these permissions, in octal' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l join -d 'Join this multicast group, with UDP, on that interface or the system\'s choice; may be repeated' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l idle-timeout -d 'Close a connection on which nothing moves for this long; off: never' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l threads -d 'Share the connections among this many threads; datagrams have one of their own' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l cert -d 'Show this certificate on tls:// addresses: PEM, with those behind it that lead to a root; SIGHUP reads it again' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l key -d 'Its private key: PEM, not encrypted' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l client-ca -d 'Let in only clients with a certificate that one in this file has signed; SIGHUP reads it again' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l max-clients -d 'Let in this many connections at once' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l max-bytes -d 'Close a connection that has had this much back, and answer no longer datagrams' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l source-rate -d 'Answer this many datagrams per second from one address of another machine, after a burst; off: any' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l seed -d 'Misbehave in the same way each time with the same number; without it a new one is chosen and told' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l delay -d 'Send back this much later' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l jitter -d 'And up to this much later still, at random' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l rate -d 'Send back this much per second on each connection' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l slice -d 'Send back in pieces of this size' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l stall-after -d 'Send back this much of a connection and then stand still' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l reset-after -d 'Send back this much of a connection and then reset it' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l truncate-after -d 'Send back this much of a connection and swallow the rest' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l close-after -d 'Send back this much of a connection and then close it' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l corrupt -d 'Damage each byte of a connection, and each datagram, with this probability' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l drop -d 'Leave a datagram unanswered with this probability' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l duplicate -d 'Answer a datagram twice with this probability' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l reorder -d 'Answer a datagram after the sender\'s next one, or 200 ms later, with this probability' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l color -d 'Use colours: auto means on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l timestamp -d 'Send back with the time before each line; before each datagram with the times of receipt and answer, and cut to the length that came if it goes to another machine'
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l hex -d 'Print what comes, in hexadecimal and as text'
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l once -d 'Serve one connection or datagram and exit'
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -s 4 -l ipv4 -d 'Use IPv4 only'
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -s 6 -l ipv6 -d 'Use IPv6 only'
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l reuse-port -d 'Share the port with other processes that ask for the same'
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l self-signed -d 'Make a certificate, keep it, and say its fingerprint, by which clients know the server'
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l ephemeral -d 'Make a new one each time instead of keeping it'
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -l json -d 'Print events on stdout as JSON, one object a line'
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors, ready lines and the warning of --insecure'
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_using_subcommand echo" -s h -l help -d 'Print help'
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -s c -l count -d 'Send this many probes' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -s i -l interval -d 'Send one this often' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -s s -l size -d 'Send probes of this size' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -l flood -d 'Send the next probe as soon as one is back, with this many on their way [8 if N is left out]' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -l timeout -d 'Wait this long for a probe before it counts as lost' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -s o -l sockopt -d 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -l send-buffer -d 'Set the kernel\'s send buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -l recv-buffer -d 'Set the kernel\'s receive buffer to this size instead of letting it tune itself' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -l connect-timeout -d 'Give up connecting after this long, all addresses of a name together' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -l ca -d 'Trust a tls:// server whose certificate one in this file has signed, and no other' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -l fingerprint -d 'Trust a server with this very certificate, whoever has signed it; may be repeated' -r
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -l server-name -d 'Expect this name in the certificate instead of the host\'s' -r -f -a "(__fish_print_hostnames)"
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -l client-cert -d 'Show this certificate to a server that asks for one: PEM' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -l client-key -d 'Its private key: PEM, not encrypted' -r -F
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -l color -d 'Use colours: auto means on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -s 4 -l ipv4 -d 'Use IPv4 only'
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -s 6 -l ipv6 -d 'Use IPv6 only'
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -l insecure -d 'Trust any certificate: whoever is on the way can read and change everything. Warns each time, with --quiet too'
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -l json -d 'Print events on stdout as JSON, one object a line'
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors, ready lines and the warning of --insecure'
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_using_subcommand ping" -s h -l help -d 'Print help'
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
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors, ready lines and the warning of --insecure'
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_using_subcommand inspect" -s h -l help -d 'Print help'
complete -c sockkit -n "__fish_sockkit_using_subcommand completions" -l color -d 'Use colours: auto means on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand completions" -l json -d 'Print events on stdout as JSON, one object a line'
complete -c sockkit -n "__fish_sockkit_using_subcommand completions" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors, ready lines and the warning of --insecure'
complete -c sockkit -n "__fish_sockkit_using_subcommand completions" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_using_subcommand completions" -s h -l help -d 'Print help'
complete -c sockkit -n "__fish_sockkit_using_subcommand man" -l color -d 'Use colours: auto means on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c sockkit -n "__fish_sockkit_using_subcommand man" -l json -d 'Print events on stdout as JSON, one object a line'
complete -c sockkit -n "__fish_sockkit_using_subcommand man" -s q -l quiet -d 'Print no notes on stderr and no log lines, only errors, ready lines and the warning of --insecure'
complete -c sockkit -n "__fish_sockkit_using_subcommand man" -s v -l verbose -d 'Tell more on stderr; twice for details'
complete -c sockkit -n "__fish_sockkit_using_subcommand man" -s h -l help -d 'Print help'
