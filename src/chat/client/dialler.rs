//! Connecting, on a thread of its own because it blocks.

use std::thread;

use super::machine::Note;
use crate::cli::DialArgs;
use crate::core::address::Address;
use crate::core::dial::{DialOptions, Dialled, Step, dial};
use crate::core::event_loop::Handle;
use crate::core::machine::Origin;
use crate::core::options::Settings;
use crate::core::resolve::Family;
use crate::core::socket::Buffers;
use crate::error::IoReason;

/// The only origin there is.
const ORIGIN: Origin = Origin(0);

/// Knows where to connect and how.
#[derive(Debug, Clone)]
pub(super) struct Dialler {
    address: Address,
    options: DialOptions,
}

impl Dialler {
    /// With the options as they were typed.
    pub(super) fn new(address: Address, args: &DialArgs, settings: Settings) -> Self {
        let socket = &args.socket;
        let family = match (socket.ipv4, socket.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            _ => Family::Any,
        };
        let options = DialOptions {
            family,
            timeout: args.connect_timeout,
            buffers: Buffers {
                send: socket.send_buffer.map(|size| size.as_usize()),
                recv: socket.recv_buffer.map(|size| size.as_usize()),
            },
            settings,
        };
        Self { address, options }
    }

    /// Connects and reports. `detail` is told each step.
    pub(super) fn start(&self, handle: Handle<Note>, detail: impl Fn(&str) + Send + 'static) {
        let Self { address, options } = self.clone();
        thread::spawn(move || {
            let mut watch = |step: Step| detail(&describe(&step));
            let told = match dial(&address, &options, &mut watch) {
                Ok(Dialled { transport, peer }) => {
                    for granted in options.settings.granted(&transport.socket()) {
                        detail(&granted.to_string());
                    }
                    handle.adopt(transport, peer, ORIGIN)
                }
                Err(error) => handle.urgent(Note::DialFailed(error)),
            };
            // A loop that has ended has no use for the connection.
            let _ = told;
        });
    }
}

fn describe(step: &Step) -> String {
    match step {
        Step::Resolved { addresses, took } => {
            let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!("resolved to {} in {took:.1?}", list.join(", "))
        }
        Step::Attempt {
            peer,
            outcome: Ok(()),
            took,
        } => format!("connected to {peer} in {took:.1?}"),
        Step::Attempt {
            peer,
            outcome: Err(error),
            took,
        } => format!(
            "cannot connect to {peer}: {} after {took:.1?}",
            IoReason(error)
        ),
    }
}
