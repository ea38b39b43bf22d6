//! What the man pages say beyond the options: how the commands behave, in the words of a manual.

/// The parts of a page that are not generated.
pub(super) struct Page {
    /// How it is called.
    pub(super) synopsis: &'static str,
    /// Paragraphs.
    pub(super) description: &'static [&'static str],
    /// Sections of terms and their meanings.
    pub(super) lists: &'static [(&'static str, &'static [(&'static str, &'static str)])],
    /// Other pages.
    pub(super) see_also: &'static str,
}

/// The page of a subcommand, or of the program.
pub(super) fn page(name: Option<&str>) -> Page {
    match name {
        Some("serve-chat") => SERVE_CHAT,
        Some("chat") => CHAT,
        Some("send-file") => SEND_FILE,
        Some("recv-file") => RECV_FILE,
        Some("echo") => ECHO,
        Some("ping") => PING,
        Some("inspect") => INSPECT,
        Some("completions") => COMPLETIONS,
        Some("man") => MAN,
        _ => SOCKKIT,
    }
}

const ADDRESSES: (&str, &[(&str, &str)]) = (
    "ADDRESSES",
    &[
        (
            "host:port",
            "A name or an IPv4 address, and a port or the name of a service. A name stands for all its addresses.",
        ),
        (
            "[::1]:port, [fe80::1%eth0]:port",
            "An IPv6 address, with its zone where it needs one.",
        ),
        (
            ":port",
            "To listen: every interface, IPv4 and IPv6. To connect: localhost.",
        ),
        ("port", "To listen: localhost."),
        (
            "unix:/path, unix:@name",
            "A Unix socket; the second form, without a file, only on Linux.",
        ),
        (
            "udp://..., unixgram:/path",
            "For datagrams, where a command takes them: UDP, or a Unix datagram socket.",
        ),
        ("tcp://...", "The same as without."),
        ("tls://...", "Encrypted: for the chat, echo and ping."),
    ],
);

const RELOADING: (&str, &str) = (
    "SIGHUP",
    "With --cert or --client-ca: reads their files again; when one cannot be used all stays as it was. A certificate of its own stays. Without either: ends the server as SIGTERM does.",
);

const SELF_SIGNED: (&str, &str) = (
    "STATE/self-signed.pem",
    "With --self-signed: certificate and key, for its owner alone. STATE is $XDG_STATE_HOME/sockkit, else ~/.local/state/sockkit; ~/Library/Application Support/sockkit on macOS; %LOCALAPPDATA%\\sockkit on Windows.",
);

const KNOWN_SERVERS: (&str, &str) = (
    "STATE/known_servers",
    "The servers that a person has trusted: host:port and fingerprint, one a line. STATE is as in sockkit-serve-chat(1).",
);

/// By what a client of a `tls://` server knows it.
const TRUST: &str = "A tls:// server is trusted if somebody whom the system trusts has signed its certificate for this name, or by --ca, --fingerprint or --insecure. One that nobody vouches for is shown at a terminal: whoever compares the fingerprint with the one that the server prints can trust it, from then on. In a script the answer is no, and when the certificate of such a server is another one than before it is no everywhere. Status 5 says that a certificate was not taken, at either end.";

const COLOURS: (&str, &str) = (
    "NO_COLOR, CLICOLOR, CLICOLOR_FORCE",
    "Whether to use colours when --color is auto.",
);

const CODE: (&str, &str) = (
    "SOCKKIT_CODE",
    "The code, unless --code-file or --code-fd is given.",
);

/// What both ends of a transfer are to know about codes.
const SECRET: &str = "Both ends prove that they know the same code before either says anything else, and everything is encrypted. The end that listens makes one up if it is given none, and says it, with the command for the other machine, on stderr; with --json that is the event code. The end that connects asks for it at the terminal, unless it is in SOCKKIT_CODE, --code-file or --code-fd. Case does not matter, a space is as good as a hyphen, and of the words that were made up three letters are enough.";

const SOCKKIT: Page = Page {
    synopsis: "sockkit [OPTIONS] COMMAND",
    description: &[
        "sockkit is one tool for people who work with sockets. It needs no other program and behaves in a script exactly as under a person's hands.",
        "What is data goes to stdout, what is talk goes to stderr. With --json stdout has one JSON object a line. The exit status says what happened.",
        "Servers listen on this machine only, unless an address says otherwise. What a peer sends never reaches the terminal raw: control characters, escape sequences and bidirectional overrides are made visible.",
    ],
    lists: &[ADDRESSES, ("ENVIRONMENT", &[COLOURS])],
    see_also: "sockkit-serve-chat(1), sockkit-chat(1), sockkit-send-file(1), sockkit-recv-file(1), sockkit-echo(1), sockkit-ping(1), sockkit-inspect(1), sockkit-completions(1), sockkit-man(1), nc(1)",
};

const SERVE_CHAT: Page = Page {
    synopsis: "sockkit serve-chat [OPTIONS] [ADDR]...",
    description: &[
        "Runs a chat server. Anyone can join it with nc(1), telnet(1) or socat(1) and types lines; nothing has to be installed. sockkit chat adds what a plain connection cannot have: no line is lost or doubled when the network is cut.",
        "A member is asked nothing: it gets a guest's nick, sees the last lines of #lobby and may begin. A line that begins with a slash is a command; /help lists them. Two slashes send one.",
        "No member can harm another: one that does not read costs at most --send-queue of memory and nobody's time, one that floods is read more slowly, and a line that is too long is refused.",
        "With --log every line is on disk before anyone sees it or the sender gets an acknowledgement.",
        "On tls:// addresses nobody on the way can read or change what is said. Without a certificate that somebody has signed, --self-signed makes one, and clients know the server by its fingerprint, which is printed. openssl s_client and ncat --ssl can join too. A client that says nothing, or nothing that is TLS, is dropped after 10 seconds and keeps nobody out. Plain and tls:// addresses can be mixed.",
    ],
    lists: &[
        ADDRESSES,
        OPTIONS,
        (
            "SIGNALS",
            &[
                (
                    "SIGINT, SIGTERM",
                    "No new clients come in, everybody is told, what is left is delivered for at most --drain, the log is synced. A second one ends the server at once.",
                ),
                RELOADING,
            ],
        ),
        (
            "FILES",
            &[
                (
                    "DIR/ROOM.jsonl",
                    "With --log: one JSON object a line, in order. Older parts of a log that was rotated stand beside it.",
                ),
                (
                    "DIR/.checkpoint",
                    "What the logs say further back than a start reads them: which lines of whom are there already, and the topics.",
                ),
                SELF_SIGNED,
            ],
        ),
        (
            "ENVIRONMENT",
            &[
                (
                    "SOCKKIT_PASSWORD",
                    "The password, unless --password-file is given.",
                ),
                COLOURS,
            ],
        ),
    ],
    see_also: "sockkit(1), sockkit-chat(1), nc(1)",
};

const CHAT: Page = Page {
    synopsis: "sockkit chat [OPTIONS] [ADDR]",
    description: &[
        "Joins a chat. At a terminal what others say appears above the line that is being typed. In a pipe the lines of stdin are sent and what others say is printed; at the end of stdin it waits until the server has acknowledged every line, and exits.",
        "When the connection is cut it connects again, gets what it missed and sends what was not acknowledged: no line is lost and none is doubled. Lines that nobody acknowledged when it ends are counted on stderr, and the status is not 0. In a pipe the same goes for a line that the server did not take and for a command that it did not obey: a nick that is taken, somebody who is not there.",
        "--expect and --count wait for what others say in the room, with /me and in private; lines of its own do not count, and what was said before it came only with --history. What is waited for is all that is printed: the part that matches --expect, or with --count alone or --json the whole of each message. With both, so many have to match.",
        "With --raw it talks to any server of lines. At the end of stdin it closes its direction and prints until the server closes too, unless --expect, --count or --follow wants more. Bytes pass into a pipe as they come; on a terminal they are made visible. --idle-timeout does not apply.",
        TRUST,
        "At a terminal Tab completes commands and names, Ctrl-C clears the line or, when it is empty, leaves, and so does Ctrl-D. Several lines that are pasted are asked back before they are sent.",
    ],
    lists: &[
        ADDRESSES,
        OPTIONS,
        (
            "JSON",
            &[
                (
                    "Input",
                    "With --json a line of stdin is an object: {\"text\":\"hello\"} says hello or, with a leading slash, is a command; {\"op\":\"history\",\"after\":ID,\"limit\":N} asks for lines of the room; {\"op\":\"ping\"} for a pong; {\"op\":\"bye\"} leaves. Unknown fields are ignored. At the first line that cannot be understood it reads no further, and ends with status 2 once the lines before it are acknowledged.",
                ),
                (
                    "Output",
                    "The events of the server, connected, and disconnected. An ack with a seq says that so many lines are in the log.",
                ),
            ],
        ),
        ("FILES", &[KNOWN_SERVERS]),
        (
            "ENVIRONMENT",
            &[
                (
                    "SOCKKIT_PASSWORD",
                    "The password, unless --password-file is given.",
                ),
                COLOURS,
                (
                    "TZ",
                    "The time zone of the times at a terminal. In a pipe there are none, with --json they are in UTC.",
                ),
                (
                    "TERM",
                    "With dumb no line can be edited: chat reads and prints as in a pipe.",
                ),
            ],
        ),
        (
            "ENVIRONMENT OF --exec",
            &[
                (
                    "SOCKKIT_EVENT",
                    "message, action (/me) or private; line with --raw, which has only SOCKKIT_TEXT beside it.",
                ),
                ("SOCKKIT_NICK, SOCKKIT_TEXT", "Who said what."),
                ("SOCKKIT_ROOM", "Where; empty for private ones."),
                (
                    "SOCKKIT_ID, SOCKKIT_TIME",
                    "The number in the room, or of the private line, and when the server took it (RFC 3339, UTC).",
                ),
            ],
        ),
    ],
    see_also: "sockkit(1), sockkit-serve-chat(1), nc(1)",
};

const TRANSFER_JSON: (&str, &[(&str, &str)]) = (
    "JSON",
    &[
        (
            "connected, disconnected",
            "Both ends have found or lost each other.",
        ),
        ("offer", "An entry: path, kind, size."),
        (
            "phase, progress",
            "What is being done and how far it is, at most five times a second.",
        ),
        (
            "file",
            "What became of an entry: path, size, sha256, bytes sent and reused, verdict.",
        ),
        ("done", "The sums."),
    ],
);

const SEND_FILE: Page = Page {
    synopsis: "sockkit send-file [OPTIONS] ADDR PATH...",
    description: &[
        "Sends files and directories to a recv-file. Status 0 means that the other end has every byte, that its SHA-256 matched, and that it is on disk under its final name.",
        "A PATH arrives under its last component; dir and dir/ are the same. One that ends in . or .. has no name of its own: what is in it arrives without a directory around it. A link that is named is followed, others are sent as links. - is stdin, which arrives as --name.",
        "When the connection is cut it is made again, and only what the other end does not have is sent: a partial file, or an older version of the file, is compared piece by piece. The same command does so after it was killed. Nothing is believed because of a length or a time; at the end both ends compare the SHA-256 of each file, the one that sha256sum(1) prints.",
        "A file that changes while it is sent is read again, up to three times, and then said to have changed, with status 6 if there was nothing else. stdin can be read only once: after a cut the same producer and command have to be run again, and what is there needs no sending.",
        "Patterns of --exclude and --include: one without a slash is compared with the last component, one with a slash with the whole path as it is sent. * and ? do not match a slash, ** does. A slash at the end means directories only.",
        SECRET,
        "With --plain nothing is encrypted: damage on the way is found all the same, tampering is not.",
    ],
    lists: &[
        ADDRESSES,
        OPTIONS,
        (
            "SIGNALS",
            &[(
                "SIGINT, SIGTERM",
                "Stops, and tells the other end. What was sent stays there, for the next time. A second one ends it at once.",
            )],
        ),
        TRANSFER_JSON,
        ("ENVIRONMENT", &[CODE, COLOURS]),
    ],
    see_also: "sockkit(1), sockkit-recv-file(1), sha256sum(1)",
};

const RECV_FILE: Page = Page {
    synopsis: "sockkit recv-file [OPTIONS] [ADDR]",
    description: &[
        "Receives from a send-file into a directory. A file appears under its name when all of it is there, its SHA-256 is the sender's, and it is on disk; before that it is .NAME.sockkit-part, from which the next attempt goes on. A new file below 512 KiB has no name before that where the system can do without one (Linux); it gets its own as soon as it is whole.",
        "A file that exists with the same content is left as it is and counts as stored. One that differs is kept, and the new one refused, unless --overwrite, --rename or --update says otherwise. The sender has no say in this.",
        "Nothing is stored outside of the directory, whatever names and links a sender thinks of. Links are kept if they stay inside. Permissions are kept without set-id bits, and so are times.",
        "It waits for one sender and ends when that has sent everything; after a cut it waits for it to come back. With --keep-open it takes in any number, also at once. Connections that do not say hello keep nobody out.",
        "With -o - what comes is passed to stdout as it comes. It is still verified: status 6 says that what was passed on was wrong. --quota counts what is stored, without holes, over all senders: also what an unfinished transfer has left, and 4 KiB for each new directory.",
        SECRET,
        "Three wrong codes end it. With --keep-open it stays, and whoever tries wrong codes has to wait, longer each time.",
    ],
    lists: &[
        ADDRESSES,
        OPTIONS,
        (
            "SIGNALS",
            &[(
                "SIGINT, SIGTERM",
                "Stops, tells the other end, and writes what has come: the next attempt goes on from there. A second one ends it at once.",
            )],
        ),
        (
            "FILES",
            &[
                (
                    ".NAME.sockkit-part",
                    "What has come of NAME. It can be removed at the price of sending it again.",
                ),
                (
                    ".NAME.sockkit-journal",
                    "Beside it, for files of 1 MiB and more: which version it is of. A hint only.",
                ),
            ],
        ),
        TRANSFER_JSON,
        ("ENVIRONMENT", &[CODE, COLOURS]),
        (
            "ENVIRONMENT OF --on-receive",
            &[
                ("SOCKKIT_EVENT", "file"),
                ("SOCKKIT_PATH", "Where the file is: absolute."),
                (
                    "SOCKKIT_NAME",
                    "Its name as it was offered, below the directory.",
                ),
                (
                    "SOCKKIT_SIZE, SOCKKIT_SHA256",
                    "Its bytes, and their digest in lower-case hexadecimal.",
                ),
            ],
        ),
    ],
    see_also: "sockkit(1), sockkit-send-file(1), sha256sum(1)",
};

const ECHO: Page = Page {
    synopsis: "sockkit echo [OPTIONS] [ADDR]...",
    description: &[
        "Sends back what it gets (RFC 862), on TCP, with TLS or without, UDP and Unix sockets, several at once. A connection gets everything back before it is closed, also when it has finished sending; one that does not read is not read from. A datagram is answered from the address that it was sent to (on Windows: where one address is listened on).",
        "It can misbehave on purpose, so that other programs can be tested against it. What happens by chance is decided by --seed: for a connection by the number of the connection, counted from 0, and the position of a byte in it; for a datagram by its number. The same seed and the same input do the same again, however the input is cut into pieces. Only --jitter of a connection goes by the pieces in which its input is read.",
        "Nobody can use it against others by datagrams with a forged sender: it does not answer services that would answer the answer (ports 0, 7, 11, 13, 17, 19, 37, 53, 69, 123, 8887, and the port that it listens on itself), no answer to another machine is longer than what came, and one address gets as many per second as --source-rate says. This machine's own addresses get any number, and whole answers.",
        "With --timestamp and --prefix what is sent back is longer than what came; a datagram to another machine is cut.",
        "On tls:// addresses anybody is let in, as on others, unless --client-ca asks for a certificate. A client that says nothing, or nothing that is TLS, is dropped after 10 seconds, and does not count for --max-clients, --once and --count. What misbehaves does so inside TLS: bytes are damaged before they are encrypted, a piece of --slice is a record, --close-after ends with close_notify, and --reset-after with RST and without it. A client that ends without close_notify is said to be cut off, and gets nothing more. openssl s_client -quiet and ncat --ssl are clients too.",
    ],
    lists: &[
        ADDRESSES,
        OPTIONS,
        (
            "SIGNALS",
            &[
                (
                    "SIGINT, SIGTERM",
                    "Connections are closed, statistics are printed. After a second, or with a second signal, it ends.",
                ),
                RELOADING,
                ("SIGUSR1", "Prints statistics. Not on Windows."),
            ],
        ),
        (
            "JSON",
            &[(
                "Output",
                "certificate, listening, opened, closed, refused, handshake_failed, datagram, received (with --hex), warning, statistics.",
            )],
        ),
        ("FILES", &[SELF_SIGNED]),
        ("ENVIRONMENT", &[COLOURS]),
    ],
    see_also: "sockkit(1), sockkit-ping(1), nc(1)",
};

const PING: Page = Page {
    synopsis: "sockkit ping [OPTIONS] ADDR",
    description: &[
        "Sends probes to an echo server, any that follows RFC 862, and compares what comes back with what was sent: byte for byte, and for datagrams by number. It tells how long connecting, agreeing on TLS and each probe took, and at the end the least, mean and greatest time, percentiles and the standard deviation; on a terminal also how the times are spread.",
        "A datagram that does not come back within --timeout is lost, unless it comes later while others are still waited for. One that comes twice is a duplicate, one that comes after a later one is reordered; neither is a failure.",
        "A connection keeps the order of its bytes, so a server that leaves some out damages all that follow.",
        TRUST,
        "With -v it tells what was agreed on: the version of TLS, how the data is encrypted, and the fingerprint of the server's certificate.",
    ],
    lists: &[
        ADDRESSES,
        OPTIONS,
        (
            "STATUS",
            &[
                ("0", "Every probe came back as it was sent."),
                ("1", "Some were lost, or the connection was."),
                ("5", "A certificate was not taken, at either end."),
                ("6", "Some were damaged."),
            ],
        ),
        (
            "JSON",
            &[(
                "Output",
                "A reply for each probe that comes back, and a summary.",
            )],
        ),
        ("FILES", &[KNOWN_SERVERS]),
        ("ENVIRONMENT", &[COLOURS]),
    ],
    see_also: "sockkit(1), sockkit-echo(1), ping(8)",
};

const OPTIONS: (&str, &[(&str, &str)]) = (
    "SOCKET OPTIONS",
    &[
        (
            "-o, --sockopt NAME=VALUE",
            "The name of the option in any case, with or without its prefix: SO_RCVBUF, rcvbuf. It is set before the socket is bound or connected, above what the program itself sets; of two for the same option the last one holds. What was granted is told with -v. sockkit inspect --explain lists all options. recv-file knows it as --sockopt alone: its -o is the output.",
        ),
        (
            "VALUE",
            "on or off; a number, with K, M, G, KiB, MiB or GiB if it counts bytes and with a unit such as 60s or 500ms if it is a time; a name such as EF, bbr or eth0; bytes as 0x0102. NAME alone means on.",
        ),
    ],
);

const INSPECT: Page = Page {
    synopsis: "sockkit inspect [OPTIONS] [ADDR]",
    description: &[
        "Shows what a host, a socket or a process really has. Without arguments: interfaces and their addresses, names, the limits that matter to sockets, and what each option is on a new socket of each kind.",
        "With an address it resolves the name, connects, and shows the addresses, options and, on Linux, what TCP knows of the way, with remarks on what is unusual. With udp:// a datagram socket is connected, which sends nothing. With --listen the socket is bound instead.",
        "With -o alone it says what the kernel grants of what is asked, and why that is something else: doubled, capped by which setting, raised to the least.",
        "With --pid it shows the sockets of a running process through duplicates of its descriptors (Linux 5.6): nothing is read from them and nothing is set, and options whose reading has an effect are left out. The process has to be of the same user, or the user has to have CAP_SYS_PTRACE. A person is shown one line each, and with --fd N or --all the options; --json always has all.",
        "On a terminal tables fit its width, down to 20 columns. In a pipe a row is a line and - stands for what does not apply. With --json each value has its unit, or the reason why it is missing: unsupported, not_applicable or denied.",
        "On systems other than Linux --pid and --all-sockets are not available, TCP's knowledge is not shown, and of interfaces only names, numbers and addresses.",
    ],
    lists: &[ADDRESSES, OPTIONS, ("ENVIRONMENT", &[COLOURS])],
    see_also: "sockkit(1), socket(7), tcp(7), ip(7), ss(8)",
};

const COMPLETIONS: Page = Page {
    synopsis: "sockkit completions SHELL",
    description: &[
        "Prints a script by which a shell completes the commands and options of sockkit.",
    ],
    lists: &[],
    see_also: "sockkit(1)",
};

const MAN: Page = Page {
    synopsis: "sockkit man [COMMAND]",
    description: &["Prints a manual page in the format of man(7)."],
    lists: &[],
    see_also: "sockkit(1), man(1)",
};
