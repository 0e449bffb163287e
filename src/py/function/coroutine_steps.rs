//! The steps of a call of a cached coroutine function whose result is not there: it leads a flight, or follows another one's.
//!
//! A step runs where the last thing that was awaited has ended. It ends the call, or says what is to be awaited next.

use crate::ffi::{CallArgs, Owned, Raised, Result, coroutine, object};
use crate::py::cache::in_flight::Flights;
use crate::py::flight::Outcome;
use crate::py::flight::task::{Follow, Leading, TaskFlight, Waiting};
use crate::py::function::coroutine_call::{BEGUN, CoroutineCall, Stage, Task};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// For how long a task sleeps first, whose call another process computes.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// For how long at most. Each pause is twice as long as the one before.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// What a step comes to: the call's result, or None where there is something to be awaited.
type Stepped = Result<Option<Owned>>;

impl CoroutineCall {
    /// Makes a step. `ended` is what has come of the thing that was awaited, or None at the beginning. Reenters: as the call does.
    pub(in crate::py) fn step(&self, ended: Option<Result<Owned>>) -> Stepped {
        let stage = self.take_stage();
        let stepped = match (stage, ended) {
            (Stage::New, _) => self.begin(),
            (Stage::Computing(leading), Some(result)) => self.end_computing(leading, result).map(Some),
            (Stage::Refreshing, Some(result)) => self.end_refreshing(result).map(Some),
            (Stage::Following(waiting), Some(result)) => self.end_following(waiting, result),
            (Stage::Leasing(leading, pause), Some(slept)) => self.end_pause(leading, pause, slept),
            (
                Stage::Between | Stage::Computing(_) | Stage::Refreshing | Stage::Following(_) | Stage::Leasing(..),
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
            None => object::call_with(self.state()?.awaiting.get()?, &[object.borrow()]),
        }
    }

    /// Leads a flight, or follows one. Reenters: `__eq__` of keys, and as those.
    fn fly(&self, flights: &Flights, event_loop: &Owned) -> Stepped {
        let state = self.state()?;
        loop {
            let found = self.with_key_args(|key_args| self.wrapper().find_flight(flights, key_args, self.hash))?;
            let other = match found {
                Some(other) => other,
                None => {
                    let flight = TaskFlight::create(state)?;
                    let join = |key_args: &CallArgs<'_>| {
                        self.wrapper().join_flight(flights, key_args, self.hash, flight.borrow())
                    };
                    match self.with_key_args(join)? {
                        Some(other) => other,
                        None => return self.lead(flights, flight),
                    }
                }
            };
            // SAFETY: the flights of a coroutine function are those of tasks.
            if unsafe { TaskFlight::is_of_another_process(&other) } {
                flights.remove(self.hash, &other);
                continue;
            }
            // SAFETY: as above.
            match self.or_missed(unsafe { TaskFlight::follow(state, other, event_loop) })? {
                Follow::Wait(waiting, future) => match self.or_missed(self.awaited_of(future)) {
                    Ok(awaited) => return self.wait_for(Stage::Following(waiting), awaited),
                    Err(raised) => {
                        object::with_exception_aside(|| drop(waiting));
                        return Err(raised);
                    }
                },
                Follow::Landed(outcome) => {
                    if let Some(value) = self.answer(outcome)? {
                        return Ok(Some(value));
                    }
                }
                Follow::Alone => return self.compute(None),
            }
        }
    }

    /// Counts a miss where a wait has ended in an exception.
    fn or_missed<T>(&self, result: Result<T>) -> Result<T> {
        result.or_else(|raised| {
            self.count(false)?;
            Err(raised)
        })
    }

    fn end_following(&self, waiting: Waiting, woken: Result<Owned>) -> Stepped {
        let outcome = waiting.outcome();
        object::with_exception_aside(|| drop(waiting));
        drop(self.or_missed(woken)?);
        if let Some(value) = self.answer(outcome.unwrap_or(Outcome::Abandoned))? {
            return Ok(Some(value));
        }
        self.begin()
    }

    /// What this caller gets of a flight that has landed. None if its leader was called off: one of those who waited leads now.
    fn answer(&self, outcome: Outcome) -> Stepped {
        match outcome {
            Outcome::Value(value) => {
                self.count_coalesced(true)?;
                self.shared_value(value).map(Some)
            }
            Outcome::Error(error, traceback) => {
                self.count_coalesced(false)?;
                // As it left the leader: it does not grow with those who waited.
                Err(Raised::again_with(error.borrow(), traceback.borrow()))
            }
            Outcome::Abandoned => Ok(None),
        }
    }

    fn lead(&self, flights: &Flights, flight: Owned) -> Stepped {
        // SAFETY: a flight of tasks.
        let leading = match unsafe { Leading::begin(self.state()?, flight.clone()) } {
            Ok(leading) => leading,
            Err(raised) => {
                flights.remove(self.hash, &flight);
                return Err(raised);
            }
        };
        match self.peek() {
            // Another flight has landed since the call was made.
            Ok(Some(value)) => self.land_found(leading, value),
            Ok(None) => self.lead_with_lease(leading, FIRST_PAUSE),
            Err(raised) => self.land(leading, Err(raised)).map(Some),
        }
    }

    /// Computes where this process alone does, or sleeps.
    fn lead_with_lease(&self, leading: Leading, pause: Duration) -> Stepped {
        match self.lease() {
            Ok(None) => self.compute(Some(leading)),
            Ok(Some(true)) => {
                leading.is_leased();
                match self.peek() {
                    Ok(Some(value)) => self.land_found(leading, value),
                    Ok(None) => self.compute(Some(leading)),
                    Err(raised) => self.land(leading, Err(raised)).map(Some),
                }
            }
            Ok(Some(false)) if leading.is_awaited_elsewhere() => self.compute(Some(leading)),
            Ok(Some(false)) => match self.sleep(pause) {
                Ok(awaited) => self.wait_for(Stage::Leasing(leading, pause), awaited),
                Err(raised) => self.land(leading, Err(raised)).map(Some),
            },
            Err(raised) => self.land(leading, Err(raised)).map(Some),
        }
    }

    fn sleep(&self, pause: Duration) -> Result<Owned> {
        let seconds = object::float(pause.as_secs_f64())?;
        self.awaited_of(object::call_with(object::import(c"asyncio", c"sleep")?.borrow(), &[seconds.borrow()])?)
    }

    fn end_pause(&self, leading: Leading, pause: Duration, slept: Result<Owned>) -> Stepped {
        match slept.and_then(|_none| self.peek()) {
            Ok(Some(value)) => self.land_found(leading, value),
            Ok(None) => self.lead_with_lease(leading, (2 * pause).min(LONGEST_PAUSE)),
            Err(raised) => self.land(leading, Err(raised)).map(Some),
        }
    }

    fn land_found(&self, leading: Leading, value: Owned) -> Stepped {
        self.land(leading, Ok(value)).and_then(|value| self.shared_value(value)).map(Some)
    }

    fn compute(&self, leading: Option<Leading>) -> Stepped {
        match self.count(false).and_then(|()| self.call_awaited()) {
            Ok(awaited) => self.wait_for(Stage::Computing(leading), awaited),
            Err(raised) => self.end_computing(leading, Err(raised)).map(Some),
        }
    }

    fn end_computing(&self, leading: Option<Leading>, result: Result<Owned>) -> Result<Owned> {
        let result = result.and_then(|value| {
            // Invalidating, putting and clearing take a flight out, whose result is of before that.
            let flights = self.policy()?.flights.as_ref().zip(leading.as_ref());
            if flights.is_none_or(|(flights, leading)| flights.has(self.hash, leading.flight.borrow())) {
                self.store(&value, false)?;
            }
            Ok(value)
        });
        self.give_up_refresh();
        let result = match leading {
            Some(leading) => self.land(leading, result),
            None => result,
        };
        result.and_then(|value| self.policy()?.copied(value))
    }

    fn end_refreshing(&self, result: Result<Owned>) -> Result<Owned> {
        let value = result?;
        self.store(&value, true)?;
        self.policy()?.copied(value)
    }

    /// Ends the flight with this result, which all who wait for it get as well. Reenters: methods of loops and their futures.
    pub(in crate::py) fn land(&self, leading: Leading, result: Result<Owned>) -> Result<Owned> {
        let (outcome, result) = Outcome::of(result);
        self.end_lease();
        // First, so that nobody joins who comes after the outcome.
        if let Some(flights) = self.policy().ok().and_then(|policy| policy.flights.as_ref()) {
            flights.remove(self.hash, &leading.flight);
        }
        let landed = self.state().and_then(|state| leading.land(state, outcome));
        match (landed, result) {
            (Ok(()), result) => result.map_err(|error| Raised::again(error.borrow())),
            // An exception such as KeyboardInterrupt goes before what the function raised.
            (Err(raised), _) => Err(raised),
        }
    }
}

/// asyncio's loop that runs in this thread, or None: another library's loop runs, or none. Reenters: on rare occasions an import.
fn running_loop() -> Result<Option<Owned>> {
    let Some(events) = object::imported(c"asyncio.events")? else { return Ok(None) };
    let ask = events.borrow().attr(object::interned(c"_get_running_loop")?.borrow())?;
    let found = object::call_with(ask.borrow(), &[])?;
    Ok((!found.borrow().is_none()).then_some(found))
}
