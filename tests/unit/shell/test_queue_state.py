"""The state of the queue, driven with explicit times."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quantized_model_operator.shell.queue_state import QueueState


def test_keys_come_in_the_order_in_which_they_became_ready() -> None:
    """Keys are taken first in, first out, each with the time it waited."""
    state: QueueState[str] = QueueState()
    state.add("a", 1.0)
    state.add("b", 2.0)
    assert state.take(5.0) == ("a", 4.0)
    assert state.take(5.0) == ("b", 3.0)
    assert state.take(5.0) is None


def test_a_key_that_is_ready_is_not_added_twice() -> None:
    """Adding a ready key again changes neither its place nor the count of additions."""
    state: QueueState[str] = QueueState()
    assert state.add("a", 1.0)
    assert not state.add("a", 2.0)
    assert state.adds == 1
    assert state.take(3.0) == ("a", 2.0)
    assert state.take(3.0) is None


def test_a_key_in_flight_runs_once_more_after_any_number_of_additions() -> None:
    """Additions during a flight lead to exactly one more flight, after the first has ended."""
    state: QueueState[str] = QueueState()
    state.add("a", 0.0)
    state.take(0.0)
    assert state.add("a", 1.0)
    assert not state.add("a", 2.0)
    assert state.take(3.0) is None
    assert state.done("a", 3.0) == 3.0
    assert state.take(4.0) == ("a", 3.0)
    state.done("a", 4.0)
    assert state.take(5.0) is None


def test_the_earliest_wish_holds() -> None:
    """Of several delayed additions of a key, the earliest makes it ready, and only once."""
    state: QueueState[str] = QueueState()
    state.add_after("a", 10.0, 0.0)
    state.add_after("a", 3.0, 0.0)
    state.add_after("a", 7.0, 0.0)
    assert state.next_due() == 3.0
    assert state.take(2.9) is None
    assert state.take(3.0) == ("a", 0.0)
    state.done("a", 3.0)
    assert state.take(100.0) is None


def test_a_run_replaces_what_was_planned_before_it() -> None:
    """Taking a key drops its delayed additions, but not those made during the flight."""
    state: QueueState[str] = QueueState()
    state.add_after("a", 10.0, 0.0)
    state.add("a", 1.0)
    state.take(1.0)
    state.add_after("a", 20.0, 1.0)
    state.done("a", 2.0)
    assert state.take(10.0) is None
    assert state.take(21.0) == ("a", 0.0)


def test_back_off_doubles_to_its_cap_and_begins_anew() -> None:
    """Delays are 5 ms doubled each time up to five minutes, and 5 ms again after a success."""
    state: QueueState[str] = QueueState()
    delays = [state.back_off("a", 0.0) for _ in range(2000)]
    assert delays[:4] == [0.005, 0.01, 0.02, 0.04]
    assert delays[15] == pytest.approx(163.84)
    assert set(delays[16:]) == {300.0}
    assert state.failures("a") == 2000
    assert state.retries == 2000
    state.forget("a")
    assert state.back_off("a", 0.0) == 0.005


def test_back_off_is_per_key() -> None:
    """A key that fails does not delay another one."""
    state: QueueState[str] = QueueState()
    for _ in range(5):
        state.back_off("bad", 0.0)
    assert state.back_off("good", 0.0) == 0.005


def test_the_first_event_of_an_idle_key_is_not_delayed() -> None:
    """A child's event makes an idle key ready at once."""
    state: QueueState[str] = QueueState(quiet_seconds=0.1)
    state.add_soon("a", 0.0)
    assert state.take(0.0) == ("a", 0.0)
    state.done("a", 0.03)
    state.add_soon("a", 0.13)
    assert state.take(0.13) == ("a", 0.0)


def test_events_during_and_shortly_after_a_flight_share_one_run() -> None:
    """All events of children during a flight, and in the quiet time after it, lead to one run."""
    state: QueueState[str] = QueueState(quiet_seconds=0.1)
    state.add("a", 0.0)
    state.take(0.0)
    for _ in range(50):
        state.add_soon("a", 3.0)
    state.done("a", 5.0)
    for _ in range(50):
        state.add_soon("a", 5.05)
    assert state.take(5.09) is None
    assert state.take(5.1) == ("a", 0.0)
    state.done("a", 5.2)
    assert state.take(100.0) is None


def test_a_change_of_the_model_does_not_wait_for_the_quiet_time() -> None:
    """While events of children wait, a change of the model runs at once, and for them too."""
    state: QueueState[str] = QueueState(quiet_seconds=0.1)
    state.add("a", 0.0)
    state.take(0.0)
    state.done("a", 1.0)
    state.add_soon("a", 1.01)
    state.add("a", 1.02)
    assert state.take(1.02) == ("a", 0.0)
    state.done("a", 1.03)
    assert state.take(100.0) is None


def test_a_dropped_key_leaves_nothing_behind() -> None:
    """Dropping a key forgets its place, its delays and its failures."""
    state: QueueState[str] = QueueState()
    state.back_off("a", 0.0)
    state.add("a", 0.0)
    state.drop("a")
    assert state.take(1000.0) is None
    assert state.next_due() is None
    assert (state.depth, state.waiting, state.failures("a")) == (0, 0, 0)


def test_replaced_wishes_do_not_pile_up() -> None:
    """The memory of the queue follows the number of keys, not the number of delayed additions."""
    state: QueueState[int] = QueueState()
    for step in range(20_000):
        key = step % 10
        state.add(key, float(step))
        assert state.take(float(step)) is not None
        state.done(key, float(step))
        state.add_after(key, 1e9 + step, float(step))
    assert len(state._heap) <= 200  # noqa: SLF001 - what is bounded is private
    assert state.waiting == 10


KEYS = st.sampled_from("abcd")


class QueueMachine(RuleBasedStateMachine):
    """The queue beside a model that only knows when each key must run again."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.state: QueueState[str] = QueueState(quiet_seconds=0.1)
        self.flights: set[str] = set()
        self.must_run_by: dict[str, float] = {}
        self.soon: set[str] = set()

    def owe(self, key: str, by: float) -> None:
        """Remember that the key must run by then."""
        self.must_run_by[key] = min(by, self.must_run_by.get(key, by))

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        """A change of the model."""
        self.state.add(key, self.now)
        self.owe(key, self.now)

    @rule(key=KEYS)
    def add_soon(self, key: str) -> None:
        """A change of a child."""
        self.state.add_soon(key, self.now)
        if key in self.flights:
            self.soon.add(key)
        else:
            self.owe(key, self.now + 0.1)

    @rule(key=KEYS, seconds=st.floats(0, 50))
    def add_after(self, key: str, seconds: float) -> None:
        """A wish of an outcome."""
        self.state.add_after(key, seconds, self.now)
        self.owe(key, self.now + seconds)

    @rule(key=KEYS)
    def back_off(self, key: str) -> None:
        """A failure."""
        self.owe(key, self.now + self.state.back_off(key, self.now))

    @rule(key=KEYS)
    def drop(self, key: str) -> None:
        """The model is gone."""
        self.state.drop(key)
        self.must_run_by.pop(key, None)
        self.soon.discard(key)

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule()
    def take(self) -> None:
        """A worker asks for a key."""
        taken = self.state.take(self.now)
        past = self.now - 1e-6
        owed = {k for k, by in self.must_run_by.items() if by <= past and k not in self.flights}
        if taken is None:
            assert owed == set()
            return
        key, waited = taken
        assert waited >= 0
        assert key not in self.flights
        # Nothing runs that nobody asked for.
        assert key in self.must_run_by
        del self.must_run_by[key]
        self.flights.add(key)

    @precondition(lambda self: self.flights)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        """A worker gives a key back."""
        key = data.draw(st.sampled_from(sorted(self.flights)))
        assert self.state.done(key, self.now) >= 0
        self.flights.discard(key)
        if key in self.soon:
            self.soon.discard(key)
            self.owe(key, self.now + 0.1)

    @invariant()
    def nothing_is_lost_or_invented(self) -> None:
        """The counts agree, and every wish is ready or waiting."""
        assert self.state.in_flight == len(self.flights)
        assert self.state.depth + self.state.waiting >= len(self.must_run_by)
        if self.state.next_due() is None:
            assert self.state.waiting == 0
            assert self.state.depth >= len(self.must_run_by)

    def teardown(self) -> None:
        """Everything that was asked for runs in the end, and then the queue is empty."""
        for key in self.flights:
            self.state.done(key, self.now)
            if key in self.soon:
                self.owe(key, self.now + 0.1)
        while (taken := self.state.take(self.now + 1000.0)) is not None:
            self.must_run_by.pop(taken[0], None)
            self.state.done(taken[0], self.now + 1000.0)
        assert self.must_run_by == {}
        assert (self.state.depth, self.state.waiting, self.state.in_flight) == (0, 0, 0)


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
