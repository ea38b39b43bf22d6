//! What is measured. Each mode yields names and values for one line of output.

use std::fmt;
use std::time::{Duration, Instant};

use crate::check::{Checker, Rules};
use crate::crowd::{Crowd, Entrance};
use crate::vitals::{Vitals, vitals};

/// How long no line too many may come at the end.
const QUIET: Duration = Duration::from_millis(100);

/// How long a server is given to say all it has to say of joins before it is looked at.
const CALM: Duration = Duration::from_secs(2);

/// The most lines that may be open when the rate is fixed. More: the server does not keep it.
const LATENCY_OPEN: usize = 4096;

/// Who and how much.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The clients' way in.
    pub entrance: Entrance,
    /// Clients in the room.
    pub clients: usize,
    /// How many of them speak.
    pub senders: usize,
    /// Lines that each may have open.
    pub open: usize,
    /// How long before, and how long while it is measured.
    pub warm_up: Duration,
    /// See above.
    pub time: Duration,
    /// How long nothing may happen.
    pub patience: Duration,
    /// What the server must keep.
    pub rules: Rules,
    /// The server.
    pub pid: Option<u32>,
}

/// The line of output.
#[derive(Debug, Default)]
pub struct Figures(Vec<(&'static str, f64)>);

impl Figures {
    fn add(&mut self, name: &'static str, value: f64) {
        self.0.push((name, value));
    }

    /// By name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            // Rates and counts need no fraction, ratios do.
            let digits = if value.abs() < 1000.0 { 4 } else { 0 };
            write!(f, "{space}{name}={value:.digits$}")?;
        }
        Ok(())
    }
}

impl Plan {
    fn crowd(&self) -> Result<Crowd, String> {
        let checker = Checker::new(self.clients, self.senders, self.open, self.rules);
        Crowd::new(self.entrance.clone(), checker, self.patience)
    }

    fn vitals(&self) -> Result<Option<Vitals>, String> {
        self.pid.map(vitals).transpose()
    }
}

/// A stretch of time in which lines went, all senders sending as fast as they may.
struct Stretch {
    start: Instant,
    deliveries: u64,
    server: Option<Vitals>,
    generator: Vitals,
}

impl Stretch {
    fn begin(plan: &Plan, crowd: &Crowd) -> Result<Self, String> {
        Ok(Self {
            server: plan.vitals()?,
            generator: vitals(std::process::id())?,
            deliveries: crowd.checker.deliveries,
            start: Instant::now(),
        })
    }

    fn rate(&self, crowd: &Crowd) -> f64 {
        (crowd.checker.deliveries - self.deliveries) as f64 / self.start.elapsed().as_secs_f64()
    }

    fn end(&self, plan: &Plan, crowd: &Crowd, figures: &mut Figures) -> Result<(), String> {
        let time = self.start.elapsed().as_secs_f64();
        let deliveries = (crowd.checker.deliveries - self.deliveries) as f64;
        let share = |now: Vitals, then: Vitals| (now.cpu - then.cpu).as_secs_f64() / time;
        figures.add("deliveries_per_s", deliveries / time);
        figures.add(
            "generator_cpu",
            share(vitals(std::process::id())?, self.generator),
        );
        if let (Some(now), Some(then)) = (plan.vitals()?, self.server) {
            figures.add("server_cpu", share(now, then));
            figures.add(
                "writes_per_delivery",
                (now.writes - then.writes) as f64 / deliveries,
            );
            figures.add("rss_kib", now.rss_kib as f64);
        }
        Ok(())
    }
}

/// All senders send as fast as they may until `until`, or until so many lines were sent.
fn talk(crowd: &mut Crowd, plan: &Plan, until: Instant, lines: Option<u64>) -> Result<(), String> {
    let mut progress = (Instant::now(), crowd.checker.deliveries);
    loop {
        let now = Instant::now();
        let mut left = lines.map_or(u64::MAX, |lines| lines - crowd.checker.sent());
        if now >= until || left == 0 {
            return Ok(());
        }
        for sender in 0..plan.senders {
            let most = plan.open.min(usize::try_from(left).unwrap_or(usize::MAX));
            left -= crowd.send(sender, most, now)? as u64;
        }
        crowd.turn(Some(
            (until - now).min(plan.patience / 2 + Duration::from_millis(1)),
        ))?;
        if crowd.checker.deliveries > progress.1 {
            progress = (now, crowd.checker.deliveries);
        } else if now.duration_since(progress.0) > plan.patience {
            return Err(format!(
                "nothing comes any more: {}",
                crowd.checker.what_is_missing()
            ));
        }
    }
}

/// Deliveries per second.
pub fn flow(plan: &Plan, lines: Option<u64>) -> Result<Figures, String> {
    let mut figures = Figures::default();
    let mut crowd = plan.crowd()?;
    crowd.enter(plan.clients)?;
    crowd.gather()?;
    if lines.is_none() {
        talk(&mut crowd, plan, Instant::now() + plan.warm_up, None)?;
    }
    let stretch = Stretch::begin(plan, &crowd)?;
    talk(&mut crowd, plan, stretch.start + plan.time, lines)?;
    if lines.is_some() {
        crowd.settle(Duration::ZERO)?;
    }
    stretch.end(plan, &crowd, &mut figures)?;
    crowd.settle(QUIET)?;
    figures.add("lines", crowd.checker.sent() as f64);
    figures.add("deliveries", crowd.checker.deliveries as f64);
    figures.add("notices", crowd.notices() as f64);
    Ok(figures)
}

/// How fast clients come into the room.
pub fn join(plan: &Plan) -> Result<Figures, String> {
    let mut figures = Figures::default();
    let mut crowd = plan.crowd()?;
    let before = plan.vitals()?;
    let time = crowd.enter(plan.clients)?;
    figures.add("seconds", time.as_secs_f64());
    figures.add("joins_per_s", plan.clients as f64 / time.as_secs_f64());
    if let (Some(now), Some(before)) = (plan.vitals()?, before) {
        figures.add("server_cpu_seconds", (now.cpu - before.cpu).as_secs_f64());
    }
    crowd.gather()?;
    crowd.listen_for(CALM)?;
    figures.add("notices", crowd.notices() as f64);
    figures.add(
        "notices_per_client",
        crowd.notices() as f64 / plan.clients as f64,
    );
    Ok(figures)
}

/// What a client costs that does nothing.
pub fn idle(plan: &Plan) -> Result<Figures, String> {
    let mut figures = Figures::default();
    let mut crowd = plan.crowd()?;
    let before = plan.vitals()?.ok_or("idle needs --pid")?;
    crowd.enter(plan.clients)?;
    crowd.gather()?;
    crowd.listen_for(CALM)?;
    let then = plan.vitals()?.unwrap_or_default();
    crowd.listen_for(plan.time)?;
    let now = plan.vitals()?.unwrap_or_default();
    let grown = now.rss_kib as f64 - before.rss_kib as f64;
    figures.add("rss_before_kib", before.rss_kib as f64);
    figures.add("rss_after_kib", now.rss_kib as f64);
    figures.add("kib_per_client", grown / plan.clients as f64);
    let time = plan.time.as_secs_f64();
    figures.add("cpu_share", (now.cpu - then.cpu).as_secs_f64() / time);
    figures.add("wakeups_per_s", (now.sleeps - then.sleeps) as f64 / time);
    Ok(figures)
}

/// The last client stops reading, the others go on.
pub fn slow(plan: &Plan) -> Result<Figures, String> {
    let mut figures = Figures::default();
    let plan = &Plan {
        entrance: Entrance {
            small: Some(plan.clients - 1),
            ..plan.entrance.clone()
        },
        ..plan.clone()
    };
    let mut crowd = plan.crowd()?;
    crowd.enter(plan.clients)?;
    crowd.gather()?;
    talk(&mut crowd, plan, Instant::now() + plan.warm_up, None)?;
    let stretch = Stretch::begin(plan, &crowd)?;
    talk(&mut crowd, plan, stretch.start + plan.time, None)?;
    let before = stretch.rate(&crowd);
    crowd.settle(QUIET)?;
    let rss_before = plan.vitals()?.map(|v| v.rss_kib);

    crowd.stall(plan.clients - 1);
    let sent = crowd.checker.sent();
    let stretch = Stretch::begin(plan, &crowd)?;
    talk(&mut crowd, plan, stretch.start + plan.time, None)?;
    // Per line one delivery less is possible than before.
    let lost_share = (plan.clients - 1) as f64 / (plan.clients - 2) as f64;
    let after = stretch.rate(&crowd) * lost_share;
    crowd.settle(QUIET)?;
    let rss_after = plan.vitals()?.map(|v| v.rss_kib);
    figures.add("rate_before", before);
    figures.add("rate_after", after);
    figures.add("kept", after / before);
    if let (Some(before), Some(after)) = (rss_before, rss_after) {
        figures.add("rss_before_kib", before as f64);
        figures.add("rss_growth_kib", after as f64 - before as f64);
    }
    let missed = crowd.checker.sent() - sent;
    let (late, skips, put_out) = crowd.resume(Duration::from_secs(1))?;
    figures.add("lines_meanwhile", missed as f64);
    figures.add("lines_received_late", late.lines as f64);
    figures.add("skip_notices", skips as f64);
    figures.add("put_out", f64::from(put_out));
    Ok(figures)
}

/// From sending to each receipt, at a fixed number of deliveries per second.
pub fn latency(plan: &Plan, rate: f64) -> Result<Figures, String> {
    let mut figures = Figures::default();
    let plan = &Plan {
        open: LATENCY_OPEN,
        ..plan.clone()
    };
    let mut crowd = plan.crowd()?;
    crowd.enter(plan.clients)?;
    crowd.gather()?;
    let interval = Duration::from_secs_f64((plan.clients - 1) as f64 / rate);
    steady(&mut crowd, plan, interval, plan.warm_up)?;
    crowd.settle(QUIET)?;
    crowd.checker.latencies = Some(Vec::with_capacity(
        (rate * plan.time.as_secs_f64()) as usize + plan.clients,
    ));
    let stretch = Stretch::begin(plan, &crowd)?;
    steady(&mut crowd, plan, interval, plan.time)?;
    stretch.end(plan, &crowd, &mut figures)?;
    crowd.settle(QUIET)?;
    let mut all = crowd.checker.latencies.take().unwrap_or_default();
    all.sort_unstable();
    let at = |share: f64| {
        let rank = (share * all.len() as f64) as usize;
        let nanos = all.get(rank.min(all.len().saturating_sub(1)));
        nanos.map_or(f64::NAN, |&nanos| nanos as f64 / 1000.0)
    };
    figures.add("p50_us", at(0.5));
    figures.add("p99_us", at(0.99));
    figures.add("p999_us", at(0.999));
    figures.add("max_us", at(1.0));
    Ok(figures)
}

/// One line each `interval`, the senders in turn. Never sleeps: what the clock would add is not the server's.
/// A late line counts from the moment when it was due.
fn steady(
    crowd: &mut Crowd,
    plan: &Plan,
    interval: Duration,
    time: Duration,
) -> Result<(), String> {
    let start = Instant::now();
    let mut due = start;
    let mut turn = 0;
    while due < start + time {
        if Instant::now() >= due {
            if crowd.send(turn % plan.senders, 1, due)? == 0 {
                return Err(format!(
                    "the server does not keep up: {}",
                    crowd.checker.what_is_missing()
                ));
            }
            turn += 1;
            due += interval;
        }
        crowd.turn(Some(Duration::ZERO))?;
    }
    Ok(())
}

/// All connect at once; then the first is heard by all.
pub fn burst(plan: &Plan) -> Result<Figures, String> {
    let mut figures = Figures::default();
    let plan = &Plan {
        entrance: Entrance {
            connecting: plan.clients,
            entering: plan.clients,
            ..plan.entrance.clone()
        },
        ..plan.clone()
    };
    let mut crowd = plan.crowd()?;
    let time = crowd.enter(plan.clients)?;
    crowd.gather()?;
    talk(&mut crowd, plan, Instant::now() + plan.time, None)?;
    crowd.settle(QUIET)?;
    figures.add("seconds", time.as_secs_f64());
    figures.add("deliveries", crowd.checker.deliveries as f64);
    Ok(figures)
}
