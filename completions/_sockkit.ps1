
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'sockkit' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'sockkit'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'sockkit' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours: auto means on a terminal, unless NO_COLOR is set')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print events on stdout as JSON, one object a line')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no notes on stderr and no log lines, only errors and ready lines')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no notes on stderr and no log lines, only errors and ready lines')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more on stderr; twice for details')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more on stderr; twice for details')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('serve-chat', 'serve-chat', [CompletionResultType]::ParameterValue, 'Run a chat server that anyone can join with nc, telnet or sockkit chat')
            [CompletionResult]::new('chat', 'chat', [CompletionResultType]::ParameterValue, 'Join a chat, at a terminal or in a pipe')
            [CompletionResult]::new('inspect', 'inspect', [CompletionResultType]::ParameterValue, 'Show what a host, a socket or a process really has: options, addresses, TCP''s knowledge')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a manual page')
            break
        }
        'sockkit;serve-chat' {
            [CompletionResult]::new('--send-buffer', '--send-buffer', [CompletionResultType]::ParameterName, 'Set the kernel''s send buffer to this size instead of letting it tune itself')
            [CompletionResult]::new('--recv-buffer', '--recv-buffer', [CompletionResultType]::ParameterName, 'Set the kernel''s receive buffer to this size instead of letting it tune itself')
            [CompletionResult]::new('--backlog', '--backlog', [CompletionResultType]::ParameterName, 'Let this many connections wait to be accepted')
            [CompletionResult]::new('--unix-mode', '--unix-mode', [CompletionResultType]::ParameterName, 'Give Unix sockets these permissions, in octal')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated')
            [CompletionResult]::new('--sockopt', '--sockopt', [CompletionResultType]::ParameterName, 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'Put out a client that is silent for this long, after a warning; off: never')
            [CompletionResult]::new('--max-clients', '--max-clients', [CompletionResultType]::ParameterName, 'Let in this many clients at once')
            [CompletionResult]::new('--max-per-ip', '--max-per-ip', [CompletionResultType]::ParameterName, 'Let in this many clients from one IP address')
            [CompletionResult]::new('--max-rooms', '--max-rooms', [CompletionResultType]::ParameterName, 'Open this many rooms at most')
            [CompletionResult]::new('--rate', '--rate', [CompletionResultType]::ParameterName, 'Take this many lines per second from one client, after a burst of so many at once; off: any')
            [CompletionResult]::new('--max-line', '--max-line', [CompletionResultType]::ParameterName, 'Refuse longer lines; 64 bytes to 1 MiB')
            [CompletionResult]::new('--send-queue', '--send-queue', [CompletionResultType]::ParameterName, 'Keep this much for a client that does not read')
            [CompletionResult]::new('--slow', '--slow', [CompletionResultType]::ParameterName, 'When that is full: skip lines and say how many, or kick the client')
            [CompletionResult]::new('--history', '--history', [CompletionResultType]::ParameterName, 'Keep this many lines of each room to show to those who come later')
            [CompletionResult]::new('--history-bytes', '--history-bytes', [CompletionResultType]::ParameterName, 'Keep no more than this much of each room')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'Write what is said to a file per room in this directory, and read it at the start')
            [CompletionResult]::new('--log-rotate', '--log-rotate', [CompletionResultType]::ParameterName, 'Begin a new file when one has this size')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of this file instead of from SOCKKIT_PASSWORD')
            [CompletionResult]::new('--allow', '--allow', [CompletionResultType]::ParameterName, 'Let in only addresses in these networks')
            [CompletionResult]::new('--deny', '--deny', [CompletionResultType]::ParameterName, 'Keep out addresses in these networks, even if they are allowed')
            [CompletionResult]::new('--admin-socket', '--admin-socket', [CompletionResultType]::ParameterName, 'Listen for operators on this Unix socket, with the permissions 600')
            [CompletionResult]::new('--drain', '--drain', [CompletionResultType]::ParameterName, 'When told to stop, wait this long for clients to read what is left')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours: auto means on a terminal, unless NO_COLOR is set')
            [CompletionResult]::new('-4', '-4', [CompletionResultType]::ParameterName, 'Use IPv4 only')
            [CompletionResult]::new('--ipv4', '--ipv4', [CompletionResultType]::ParameterName, 'Use IPv4 only')
            [CompletionResult]::new('-6', '-6', [CompletionResultType]::ParameterName, 'Use IPv6 only')
            [CompletionResult]::new('--ipv6', '--ipv6', [CompletionResultType]::ParameterName, 'Use IPv6 only')
            [CompletionResult]::new('--reuse-port', '--reuse-port', [CompletionResultType]::ParameterName, 'Share the port with other processes that ask for the same')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print events on stdout as JSON, one object a line')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no notes on stderr and no log lines, only errors and ready lines')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no notes on stderr and no log lines, only errors and ready lines')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more on stderr; twice for details')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more on stderr; twice for details')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockkit;chat' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Ask for this nick; without it the server gives one')
            [CompletionResult]::new('--nick', '--nick', [CompletionResultType]::ParameterName, 'Ask for this nick; without it the server gives one')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Enter this room instead of #lobby; its # may be left out')
            [CompletionResult]::new('--room', '--room', [CompletionResultType]::ParameterName, 'Enter this room instead of #lobby; its # may be left out')
            [CompletionResult]::new('--history', '--history', [CompletionResultType]::ParameterName, 'Show this many earlier lines on entering, and let them count [default: 20 at a terminal, else 0]')
            [CompletionResult]::new('--password-file', '--password-file', [CompletionResultType]::ParameterName, 'Read the password from the first line of this file instead of from SOCKKIT_PASSWORD')
            [CompletionResult]::new('--send', '--send', [CompletionResultType]::ParameterName, 'Send this line instead of reading stdin; may be repeated')
            [CompletionResult]::new('--expect', '--expect', [CompletionResultType]::ParameterName, 'Wait for a message of others that matches, print the match, and leave')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'Leave after this many messages of others, with --expect after so many that match')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up with status 4 when not done after this long')
            [CompletionResult]::new('--exec', '--exec', [CompletionResultType]::ParameterName, 'Run this program for each message, without a shell; see the manual for its environment')
            [CompletionResult]::new('--exec-max', '--exec-max', [CompletionResultType]::ParameterName, 'Run at most this many of them at once')
            [CompletionResult]::new('--send-buffer', '--send-buffer', [CompletionResultType]::ParameterName, 'Set the kernel''s send buffer to this size instead of letting it tune itself')
            [CompletionResult]::new('--recv-buffer', '--recv-buffer', [CompletionResultType]::ParameterName, 'Set the kernel''s receive buffer to this size instead of letting it tune itself')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Give up connecting after this long, all addresses of a name together')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated')
            [CompletionResult]::new('--sockopt', '--sockopt', [CompletionResultType]::ParameterName, 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'Take the connection for dead when nothing comes for this long, not even an answer to a ping; off: never')
            [CompletionResult]::new('--retry', '--retry', [CompletionResultType]::ParameterName, 'After a cut, try to reconnect for this long, 0 for never [default: 30s, at a terminal without end]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours: auto means on a terminal, unless NO_COLOR is set')
            [CompletionResult]::new('--no-history', '--no-history', [CompletionResultType]::ParameterName, 'Show no earlier lines')
            [CompletionResult]::new('--raw', '--raw', [CompletionResultType]::ParameterName, 'Talk to any server of lines: no handshake, no acknowledgements, no reconnecting')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Go on printing messages after the end of stdin')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on printing messages after the end of stdin')
            [CompletionResult]::new('-4', '-4', [CompletionResultType]::ParameterName, 'Use IPv4 only')
            [CompletionResult]::new('--ipv4', '--ipv4', [CompletionResultType]::ParameterName, 'Use IPv4 only')
            [CompletionResult]::new('-6', '-6', [CompletionResultType]::ParameterName, 'Use IPv6 only')
            [CompletionResult]::new('--ipv6', '--ipv6', [CompletionResultType]::ParameterName, 'Use IPv6 only')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print events on stdout as JSON, one object a line')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no notes on stderr and no log lines, only errors and ready lines')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no notes on stderr and no log lines, only errors and ready lines')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more on stderr; twice for details')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more on stderr; twice for details')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockkit;inspect' {
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Listen here and look at the sockets')
            [CompletionResult]::new('--pid', '--pid', [CompletionResultType]::ParameterName, 'Look at the sockets of this process')
            [CompletionResult]::new('--fd', '--fd', [CompletionResultType]::ParameterName, 'Look at this descriptor alone: of --pid, else one that sockkit was started with')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Show a built-in profile')
            [CompletionResult]::new('--diff', '--diff', [CompletionResultType]::ParameterName, 'Show where two differ: a profile, a file that --json wrote, an address to connect to')
            [CompletionResult]::new('--explain', '--explain', [CompletionResultType]::ParameterName, 'Explain a socket option; without a name list them all')
            [CompletionResult]::new('--address', '--address', [CompletionResultType]::ParameterName, 'Show an IP address in every notation: 0x7f000001, 2130706433, fe80::1%eth0')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Look again and again, so far apart, and print what has changed')
            [CompletionResult]::new('--send-buffer', '--send-buffer', [CompletionResultType]::ParameterName, 'Set the kernel''s send buffer to this size instead of letting it tune itself')
            [CompletionResult]::new('--recv-buffer', '--recv-buffer', [CompletionResultType]::ParameterName, 'Set the kernel''s receive buffer to this size instead of letting it tune itself')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Give up connecting after this long, all addresses of a name together')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated')
            [CompletionResult]::new('--sockopt', '--sockopt', [CompletionResultType]::ParameterName, 'Set this socket option, such as SO_RCVBUF=1MiB or tos=EF; may be repeated')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours: auto means on a terminal, unless NO_COLOR is set')
            [CompletionResult]::new('--all-sockets', '--all-sockets', [CompletionResultType]::ParameterName, 'List all sockets with their processes')
            [CompletionResult]::new('--can', '--can', [CompletionResultType]::ParameterName, 'Show what this user may do with sockets')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Show all options of the catalogue, not only the usual ones')
            [CompletionResult]::new('-4', '-4', [CompletionResultType]::ParameterName, 'Use IPv4 only')
            [CompletionResult]::new('--ipv4', '--ipv4', [CompletionResultType]::ParameterName, 'Use IPv4 only')
            [CompletionResult]::new('-6', '-6', [CompletionResultType]::ParameterName, 'Use IPv6 only')
            [CompletionResult]::new('--ipv6', '--ipv6', [CompletionResultType]::ParameterName, 'Use IPv6 only')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print events on stdout as JSON, one object a line')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no notes on stderr and no log lines, only errors and ready lines')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no notes on stderr and no log lines, only errors and ready lines')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more on stderr; twice for details')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more on stderr; twice for details')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockkit;completions' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours: auto means on a terminal, unless NO_COLOR is set')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print events on stdout as JSON, one object a line')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no notes on stderr and no log lines, only errors and ready lines')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no notes on stderr and no log lines, only errors and ready lines')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more on stderr; twice for details')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more on stderr; twice for details')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'sockkit;man' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours: auto means on a terminal, unless NO_COLOR is set')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print events on stdout as JSON, one object a line')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no notes on stderr and no log lines, only errors and ready lines')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no notes on stderr and no log lines, only errors and ready lines')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more on stderr; twice for details')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more on stderr; twice for details')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
