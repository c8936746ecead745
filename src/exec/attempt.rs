//! One run of the command: starts it, watches it, passes its signals and output on, ends it.

use std::ffi::OsString;
use std::io;
#[cfg(unix)]
use std::io::PipeReader;
use std::process::Command;
use std::time::{Duration, Instant};

use super::classify::Exit;
use super::group::{Group, GroupChange};
use super::relayed::ExecRelay;
use super::signals::{ExecSignals, SignalEvent};
use super::stall::{CommandSampler, StallJudge, StallLimits, Stuck};
use super::tee::{Out, Tee};
#[cfg(unix)]
use super::terminal::{StderrPty, Terminal};
use crate::environment::Environment;
use crate::relay::Watchdog;

/// The interval between two samples of the command. A sample takes about a millisecond.
const PACE: Duration = Duration::from_millis(250);
/// If a sample takes longer (thousands of processes), the command is sampled less often: at most 5
/// % of the time, as long as the time limits are still kept accurately.
const SHARE: u32 = 20;
const SELDOM: Duration = Duration::from_millis(750);
/// How long the output may stay open and silent after the command's end. After that, a process that
/// holds it (a server that a Makefile has started) is left alone.
const GRACE: Duration = Duration::from_millis(300);
const GLANCE: Duration = Duration::from_millis(10);

/// How a command ended.
#[derive(Debug)]
pub(super) struct EndedCommand {
    /// How it ended.
    pub(super) exit: Exit,
    /// What it wrote to standard error; bounded, so the beginning may be missing.
    pub(super) stderr: String,
    /// A mismatch message may be in the part that could not be kept.
    pub(super) lost_mismatch: bool,
    /// go's messages from the JSON on its standard output; bounded.
    pub(super) build_output: String,
    /// Why goroam ended it, if it did.
    pub(super) stuck: Option<Stuck>,
    /// A signal (Ctrl-C, SIGTERM) asked it to end: there is no further step.
    pub(super) interrupted: bool,
    /// How long it took.
    pub(super) took: Duration,
}

/// What to run, and what is known about it.
pub(super) struct HowToRun<'a> {
    pub(super) command: &'a [OsString],
    /// The command's environment.
    pub(super) own: &'a Environment,
    /// Variables in addition to it.
    pub(super) env: &'a [(String, String)],
    /// When it counts as stuck.
    pub(super) limits: StallLimits,
    /// The relay that go asks: it has time limits of its own.
    pub(super) relay: Option<&'a ExecRelay>,
}

/// A running command.
struct RunningCommand<'a> {
    group: Group,
    signals: &'a mut ExecSignals,
    stderr: Tee,
    stdout: Option<Tee>,
    begun: Instant,
    interrupted: bool,
    #[cfg(unix)]
    terminal: Option<Terminal>,
    #[cfg(unix)]
    pty: Option<StderrPty>,
}

/// Runs the command (not empty) once. If it is stuck, `may_end` is called once; if the command may
/// not be ended, it keeps running.
///
/// # Errors
/// When it cannot be started; `NotFound` when no command has that name.
pub(super) async fn attempt(
    how: &HowToRun<'_>,
    signals: &mut ExecSignals,
    may_end: &mut dyn FnMut(&Stuck) -> bool,
) -> io::Result<(EndedCommand, OpenOutput)> {
    let mut attempt = RunningCommand::start(how, signals)?;
    let watchdog = how.relay.map(|_| Watchdog::start());
    let stuck = attempt.watch(how, may_end).await;
    // go has ended, and what follows may wait for the reader of goroam's output.
    drop(watchdog);
    if stuck.is_some() {
        attempt.group.kill().await;
    }
    attempt.drain().await;
    #[cfg(unix)]
    if let Some(terminal) = &mut attempt.terminal {
        terminal.take_back();
        if stuck.is_some() {
            terminal.restore();
        }
    }
    let exit = attempt.group.end();
    let took = attempt.begun.elapsed();
    let by_hand = [2, 3].map(Exit::Signal).contains(&exit) && cfg!(unix);
    let ended = EndedCommand {
        exit,
        stderr: attempt.stderr.text(),
        lost_mismatch: attempt.stderr.lost_mismatch(),
        build_output: attempt.stdout.as_ref().map(Tee::text).unwrap_or_default(),
        stuck,
        interrupted: attempt.interrupted || by_hand,
        took,
    };
    let tees = [Some(attempt.stderr), attempt.stdout];
    Ok((ended, OpenOutput(tees)))
}

/// Output that a process in the background may still write to. It is copied until goroam ends; if
/// it is left behind, it is copied even after that.
#[derive(Debug)]
pub struct OpenOutput([Option<Tee>; 2]);

impl OpenOutput {
    /// Leaves the output behind; call this when goroam is about to end.
    pub fn leave_behind(self) {
        self.0.into_iter().flatten().for_each(Tee::leave_behind);
    }
}

impl<'a> RunningCommand<'a> {
    fn start(how: &HowToRun<'_>, signals: &'a mut ExecSignals) -> io::Result<RunningCommand<'a>> {
        let (program, args) = how.command.split_first().ok_or(io::ErrorKind::NotFound)?;
        let mut command = Command::new(program);
        command.args(args);
        // Variables whose names are not UTF-8 are inherited.
        for (name, _) in Environment::of_process().all() {
            command.env_remove(name);
        }
        command.envs(how.own.all());
        command.envs(how.env.iter().map(|(name, value)| (name, value)));
        // If standard output is a pipe (a CI log), the output of a script or a Makefile around `go
        // test -json` is examined too: a terminal or a file is left to the command unread.
        let json = args.iter().any(is_json) || stdout_is_a_pipe();
        #[cfg(unix)]
        let (pty, stderr) = stderr(&mut command)?;
        #[cfg(not(unix))]
        let stderr = {
            let (read, write) = io::pipe()?;
            command.stderr(write);
            read
        };
        let mut stdout = None;
        if json {
            let (read, write) = io::pipe()?;
            command.stdout(write);
            stdout = Some(read);
        }
        let begun = Instant::now();
        // When this returns, our copies of the command's ends are closed.
        let group = Group::spawn(command)?;
        Ok(RunningCommand {
            group,
            signals,
            stderr: Tee::start(stderr, Out::Stderr, false)?,
            stdout: stdout
                .map(|pipe| Tee::start(pipe, Out::Stdout, true))
                .transpose()?,
            begun,
            interrupted: false,
            #[cfg(unix)]
            terminal: Terminal::find(),
            #[cfg(unix)]
            pty,
        })
    }

    /// Watches the command until it has ended or is stuck.
    async fn watch(
        &mut self,
        how: &HowToRun<'_>,
        may_end: &mut dyn FnMut(&Stuck) -> bool,
    ) -> Option<Stuck> {
        let mut judge = Some(StallJudge::new(how.limits));
        let mut look = CommandSampler::at(self.group.id());
        let mut pace = PACE;
        // The command may have ended before we listened.
        let mut event = SignalEvent::Child;
        loop {
            match event {
                SignalEvent::Child => {
                    if self.changed() {
                        return None;
                    }
                }
                SignalEvent::Pass { .. } | SignalEvent::Resized => self.hear(event),
            }
            let tick = tokio::time::sleep(pace);
            event = tokio::select! {
                biased;
                event = self.signals.next() => event,
                () = tick => {
                    let before = Instant::now();
                    self.resize();
                    if let Some(judging) = &mut judge {
                        let mut sample = look.look(self.begun.elapsed(), self.output());
                        if let Some(relay) = how.relay {
                            sample.without(|peer| relay.is_at(peer), relay.is_busy());
                        }
                        tracing::trace!(?sample, "looked");
                        if let Some(stuck) = judging.see(sample) {
                            if may_end(&stuck) {
                                return Some(stuck);
                            }
                            judge = None;
                        }
                    }
                    pace = (before.elapsed() * SHARE).clamp(PACE, SELDOM);
                    // A signal may have been lost.
                    SignalEvent::Child
                }
            };
        }
    }

    /// Reports whether the command has ended. If it was stopped, goroam stops too, until both are
    /// continued.
    fn changed(&mut self) -> bool {
        loop {
            match self.group.look() {
                None => return false,
                Some(GroupChange::Ended) => return true,
                #[cfg(unix)]
                Some(GroupChange::Stopped(signal)) => {
                    Terminal::stopped(self.terminal.as_mut(), self.group.id(), signal);
                    self.group.send(libc::SIGCONT);
                }
                #[cfg(not(unix))]
                Some(GroupChange::Stopped(_)) => {}
            }
        }
    }

    fn hear(&mut self, event: SignalEvent) {
        match event {
            SignalEvent::Child => {}
            SignalEvent::Resized => {
                self.resize();
                #[cfg(unix)]
                self.group.send(libc::SIGWINCH);
            }
            SignalEvent::Pass { signal, ends } => {
                self.interrupted |= ends;
                self.group.send(signal);
            }
        }
    }

    fn resize(&self) {
        #[cfg(unix)]
        if let Some(pty) = &self.pty {
            pty.resize();
        }
    }

    fn output(&self) -> u64 {
        let stdout = self.stdout.as_ref().map_or(0, Tee::count);
        self.stderr.count().wrapping_add(stdout)
    }

    /// Waits until everything that the command has written is passed on. If another process holds
    /// its output open, waits only a moment.
    async fn drain(&mut self) {
        let mut silent = Duration::ZERO;
        let mut count = self.output();
        loop {
            let waits = self.stderr.waits() && self.stdout.as_ref().is_none_or(Tee::waits);
            let now = self.output();
            if !waits || now != count {
                (silent, count) = (Duration::ZERO, now);
            }
            if silent >= GRACE {
                return;
            }
            let ended = async {
                self.stderr.ended().await;
                if let Some(stdout) = &self.stdout {
                    stdout.ended().await;
                }
            };
            tokio::select! {
                biased;
                () = ended => return,
                event = self.signals.next() => match event {
                    SignalEvent::Pass { signal, ends } => {
                        self.group.send(signal);
                        self.interrupted |= ends;
                        if ends {
                            return;
                        }
                    }
                    SignalEvent::Child | SignalEvent::Resized => {}
                },
                () = tokio::time::sleep(GLANCE) => silent += GLANCE,
            }
        }
    }
}

/// Makes the command's standard error: a terminal if ours is one, otherwise a pipe.
#[cfg(unix)]
fn stderr(command: &mut Command) -> io::Result<(Option<StderrPty>, PipeReader)> {
    if let Some((pty, slave)) = StderrPty::open() {
        let read = pty.reader()?.into();
        command.stderr(slave);
        return Ok((Some(pty), read));
    }
    let (read, write) = io::pipe()?;
    command.stderr(write);
    Ok((None, read))
}

#[cfg(unix)]
fn stdout_is_a_pipe() -> bool {
    // SAFETY: `stat` is plain numbers, for which zero is a value.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: fstat writes one `stat` to the pointer's target, which is one.
    let known = unsafe { libc::fstat(libc::STDOUT_FILENO, &raw mut stat) } == 0;
    known && stat.st_mode & libc::S_IFMT == libc::S_IFIFO
}

#[cfg(not(unix))]
fn stdout_is_a_pipe() -> bool {
    false
}

/// Recognises `-json` of go build, go test and go mod download: go's own errors are then wrapped
/// into JSON on standard output. The flag package accepts two dashes as well.
fn is_json(arg: &OsString) -> bool {
    let known = ["-json", "--json", "-json=true", "--json=true"];
    known.iter().any(|known| arg == known)
}
