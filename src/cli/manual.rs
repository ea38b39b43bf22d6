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
        ("tcp://...", "The same as without."),
    ],
);

const COLOURS: (&str, &str) = (
    "NO_COLOR, CLICOLOR, CLICOLOR_FORCE",
    "Whether to use colours when --color is auto.",
);

const SOCKKIT: Page = Page {
    synopsis: "sockkit [OPTIONS] COMMAND",
    description: &[
        "sockkit is one tool for people who work with sockets. It needs no other program and behaves in a script exactly as under a person's hands.",
        "What is data goes to stdout, what is talk goes to stderr. With --json stdout has one JSON object a line. The exit status says what happened.",
        "Servers listen on this machine only, unless an address says otherwise. What a peer sends never reaches the terminal raw: control characters, escape sequences and bidirectional overrides are made visible.",
    ],
    lists: &[ADDRESSES, ("ENVIRONMENT", &[COLOURS])],
    see_also: "sockkit-serve-chat(1), sockkit-chat(1), sockkit-inspect(1), sockkit-completions(1), sockkit-man(1), nc(1)",
};

const SERVE_CHAT: Page = Page {
    synopsis: "sockkit serve-chat [OPTIONS] [ADDR]...",
    description: &[
        "Runs a chat server. Anyone can join it with nc(1), telnet(1) or socat(1) and types lines; nothing has to be installed. sockkit chat adds what a plain connection cannot have: no line is lost or doubled when the network is cut.",
        "A member is asked nothing: it gets a guest's nick, sees the last lines of #lobby and may begin. A line that begins with a slash is a command; /help lists them. Two slashes send one.",
        "No member can harm another: one that does not read costs at most --send-queue of memory and nobody's time, one that floods is read more slowly, and a line that is too long is refused.",
        "With --log every line is on disk before anyone sees it or the sender gets an acknowledgement.",
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
                ("SIGHUP", "Ends the server as SIGTERM does."),
            ],
        ),
        (
            "FILES",
            &[(
                "DIR/ROOM.jsonl",
                "With --log: one JSON object a line, in order. Older parts of a log that was rotated stand beside it.",
            )],
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
        "When the connection is cut it connects again, gets what it missed and sends what was not acknowledged: no line is lost and none is doubled. Lines that nobody acknowledged when it ends are counted on stderr, and the status is not 0.",
        "--expect and --count wait for what others say in the room, with /me and in private; lines of its own do not count, and what was said before it came only with --history. What is waited for is all that is printed: the part that matches --expect, or with --count alone or --json the whole of each message. With both, so many have to match.",
        "With --raw it talks to any server of lines. At the end of stdin it closes its direction and prints until the server closes too, unless --expect, --count or --follow wants more. Bytes pass into a pipe as they come; on a terminal they are made visible. --idle-timeout does not apply.",
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

const OPTIONS: (&str, &[(&str, &str)]) = (
    "SOCKET OPTIONS",
    &[
        (
            "-o NAME=VALUE",
            "The name of the option in any case, with or without its prefix: SO_RCVBUF, rcvbuf. It is set before the socket is bound or connected, above what the program itself sets; of two for the same option the last one holds. What was granted is told with -v. sockkit inspect --explain lists all options.",
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
