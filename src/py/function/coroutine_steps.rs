//! The steps of a call of a cached coroutine function whose result is not there: it leads a flight, or follows another one's.
//!
//! A step runs where the last thing that was awaited has ended. It ends the call, or says what is to be awaited next.

use crate::ffi::{CallArgs, Owned, Raised, Result, build, call, coroutine, thread};
use crate::py::cache::flights::Flights;
use crate::py::cache::in_flight::Joined;
use crate::py::cache::policy::Policy;
use crate::py::flight::outcome::Outcome;
use crate::py::flight::policy;
use crate::py::flight::policy::{Computation, Leader, Role};
use crate::py::flight::task::{Follow, TaskFlightRef, TaskLeader, TaskWait};
use crate::py::function::coroutine_call::{CoroutineCall, LeaseAnswer};
use crate::py::function::coroutine_stage::{BEGUN, LeasePause, Stage, Task};
use crate::py::tier::remote::{Answer, Origin};
use std::sync::atomic::Ordering;

/// What a step comes to: the call's result, or None where there is something to be awaited.
type Stepped = Result<Option<Owned>>;

impl CoroutineCall {
    /// Makes a step. `ended` is what has come of the thing that was awaited, or None at the beginning. Reenters: as the call does.
    pub(in crate::py) fn step(&self, ended: Option<Result<Owned>>) -> Stepped {
        let stage = self.take_stage();
        let stepped = match (stage, ended) {
            (Stage::New, _) => self.begin(),
            (Stage::Computing(leader), Some(result)) => self.end_computing(leader, result).map(Some),
            (Stage::Refreshing, Some(result)) => self.end_refreshing(result).map(Some),
            (Stage::Following(wait), Some(result)) => self.end_following(wait, result),
            (Stage::WaitingForLease(leader, pause), Some(slept)) => self.end_pause(leader, pause, slept),
            (
                Stage::NotWaiting
                | Stage::Computing(_)
                | Stage::Refreshing
                | Stage::Following(_)
                | Stage::WaitingForLease(..),
                _,
            ) => {
                unreachable!("a step ends what was awaited, and none comes after the last")
            }
        };
        if !matches!(stepped, Ok(None)) {
            self.end();
        }
        stepped.map_err(Raised::unless_stop_iteration)
    }

    fn begin(&self) -> Stepped {
        self.phase.store(BEGUN, Ordering::Relaxed);
        if let Task::Refresh = self.task {
            return match self.call_awaited() {
                Ok(awaited) => self.wait_for(Stage::Refreshing, awaited),
                Err(raised) => self.end_refreshing(Err(raised)).map(Some),
            };
        }
        match &self.policy()?.flights {
            Some(flights) => match running_loop()? {
                Some(event_loop) => self.fly(flights, &event_loop),
                None => self.compute(None),
            },
            None => self.compute(None),
        }
    }

    fn wait_for(&self, stage: Stage, awaited: Owned) -> Stepped {
        self.awaits(stage, awaited);
        Ok(None)
    }

    /// What is to be awaited of the function's call. Reenters: the function, `__await__` of what it returns.
    fn call_awaited(&self) -> Result<Owned> {
        self.awaited_of(self.call_function()?)
    }

    fn awaited_of(&self, object: Owned) -> Result<Owned> {
        match coroutine::awaited(object.clone())? {
            Some(awaited) => Ok(awaited),
            None => call::with(self.state()?.awaiting.get()?, &[object.borrow()]),
        }
    }

    /// Leads a flight, or follows one. Reenters: `__eq__` of keys, and as those.
    fn fly(&self, flights: &Flights, event_loop: &Owned) -> Stepped {
        let state = self.state()?;
        loop {
            let join = |key_args: &CallArgs<'_>| self.wrapper().join(flights, state, key_args, self.hash);
            let flight: TaskFlightRef = match self.with_key_args(join)? {
                Joined::Leads(flight) => return self.lead(flights, flight),
                Joined::Follows(flight) => flight,
            };
            match policy::or_missed(self, flight.follow(state, event_loop))? {
                Follow::Wait(wait, future) => match policy::or_missed(self, self.awaited_of(future)) {
                    Ok(awaited) => return self.wait_for(Stage::Following(wait), awaited),
                    Err(raised) => {
                        thread::with_exception_aside(|| drop(wait));
                        return Err(raised);
                    }
                },
                Follow::Landed(outcome) => {
                    if let Some(value) = policy::answer(self, outcome)? {
                        return Ok(Some(value));
                    }
                }
                Follow::Alone => return self.compute(None),
            }
        }
    }

    fn end_following(&self, wait: TaskWait, woken: Result<Owned>) -> Stepped {
        let outcome = wait.outcome();
        thread::with_exception_aside(|| drop(wait));
        drop(policy::or_missed(self, woken)?);
        match policy::answer(self, outcome.unwrap_or(Outcome::Abandoned))? {
            Some(value) => Ok(Some(value)),
            None => self.begin(),
        }
    }

    fn lead(&self, flights: &Flights, flight: TaskFlightRef) -> Stepped {
        let leader = match flight.clone().lead(self.state()?) {
            Ok(leader) => leader,
            Err(raised) => {
                flights.remove(self.hash, &flight);
                return Err(raised);
            }
        };
        match self.look_as(leader, self.look_as_leader())? {
            Role::Leader(leader) => self.lead_with_lease(leader, LeasePause::FIRST),
            role => self.play(role),
        }
    }

    /// What the leader does who has `found` this when it looked again.
    fn look_as(&self, leader: TaskLeader, found: Result<Option<Owned>>) -> Result<Role<TaskLeader>> {
        policy::lead(self, leader, found, |leader, result| self.land(leader, result))
    }

    /// Computes, unless the result is there.
    fn play(&self, role: Role<TaskLeader>) -> Stepped {
        match role {
            Role::Leader(leader) => self.compute(Some(leader)),
            Role::Alone => self.compute(None),
            Role::Answered(value) => Ok(Some(value)),
        }
    }

    /// Computes where this process alone does, or sleeps.
    fn lead_with_lease(&self, leader: TaskLeader, pause: LeasePause) -> Stepped {
        match self.lease() {
            Ok(LeaseAnswer::Nobodys) => self.compute(Some(leader)),
            Ok(LeaseAnswer::Own) => {
                leader.lease();
                self.play(self.look_as(leader, self.look_again())?)
            }
            Ok(LeaseAnswer::Busy) => match pause.once_more() {
                Some(pause) => self.sleep(leader, pause),
                None => self.compute(Some(leader)),
            },
            Ok(LeaseAnswer::Anothers) if leader.is_awaited_elsewhere() => self.compute(Some(leader)),
            Ok(LeaseAnswer::Anothers) => self.sleep(leader, pause),
            Err(raised) => self.land(leader, Err(raised)).map(Some),
        }
    }

    fn sleep(&self, leader: TaskLeader, pause: LeasePause) -> Stepped {
        let awaited = build::float(pause.length().as_secs_f64())
            .and_then(|seconds| call::with(call::import(c"asyncio", c"sleep")?.borrow(), &[seconds.borrow()]))
            .and_then(|sleep| self.awaited_of(sleep));
        match awaited {
            Ok(awaited) => self.wait_for(Stage::WaitingForLease(leader, pause), awaited),
            Err(raised) => self.land(leader, Err(raised)).map(Some),
        }
    }

    fn end_pause(&self, leader: TaskLeader, pause: LeasePause, slept: Result<Owned>) -> Stepped {
        match self.look_as(leader, slept.and_then(|_none| self.look_again()))? {
            Role::Leader(leader) => self.lead_with_lease(leader, pause.next()),
            role => self.play(role),
        }
    }

    fn compute(&self, leader: Option<TaskLeader>) -> Stepped {
        // Where there is a server, its answer tells.
        if self.remote_policy().is_none() {
            self.count(false);
        }
        match self.call_awaited() {
            Ok(awaited) => self.wait_for(Stage::Computing(leader), awaited),
            Err(raised) => self.end_computing(leader, Err(raised)).map(Some),
        }
    }

    fn end_computing(&self, leader: Option<TaskLeader>, result: Result<Owned>) -> Result<Owned> {
        let result = match result {
            Err(raised) => {
                if let Some(policy) = self.remote_policy() {
                    self.count_answer(policy, None);
                }
                self.instead_of_error(raised)
            }
            Ok(value) => self.keep_result(leader.as_ref(), value),
        };
        self.give_up_refresh();
        let result = match leader {
            Some(leader) => self.land(leader, result),
            None => result,
        };
        result.and_then(|value| self.hand_out(value))
    }

    fn keep_result(&self, leader: Option<&TaskLeader>, value: Owned) -> Result<Owned> {
        // Invalidating, putting and clearing take a flight out, whose result is of before that.
        let flights = self.policy()?.flights.as_ref().zip(leader);
        let may_store = flights.is_none_or(|(flights, leader)| flights.has(self.hash, leader.flight()));
        if let Some(policy) = self.remote_policy() {
            let answer = Answer::of(value.borrow())?;
            self.count_answer(policy, Some(answer.origin));
            return self.keep_answer(policy, answer, may_store);
        }
        if may_store {
            self.store(&value, false)?;
        }
        Ok(value)
    }

    fn end_refreshing(&self, result: Result<Owned>) -> Result<Owned> {
        let value = result?;
        let value = match self.remote_policy() {
            Some(policy) => self.keep_answer(policy, Answer::of(value.borrow())?, true)?,
            None => {
                self.store(&value, true)?;
                value
            }
        };
        self.hand_out(value)
    }

    /// The value that the tier has answered, which the near cache then has, too, if it may. Reenters: as `Cache::keep_answer`.
    fn keep_answer(&self, policy: &Policy, answer: Answer, may_store: bool) -> Result<Owned> {
        if may_store {
            self.with_key_args(|key_args| {
                self.wrapper().keep_answer(policy, key_args, self.hash, &answer, &self.seen)
            })?;
        }
        Ok(answer.value)
    }

    fn count_answer(&self, policy: &Policy, origin: Option<Origin>) {
        if !matches!(self.task, Task::Recompute) {
            self.wrapper().count_answer(policy, origin);
        }
    }
}

/// asyncio's loop that runs in this thread, or None: another library's loop runs, or none. Reenters: on rare occasions an import.
pub fn running_loop() -> Result<Option<Owned>> {
    let Some(events) = call::imported(c"asyncio.events")? else { return Ok(None) };
    let ask = events.borrow().attr(build::interned(c"_get_running_loop")?.borrow())?;
    let found = call::with(ask.borrow(), &[])?;
    Ok((!found.borrow().is_none()).then_some(found))
}
