"""Arguments of shared caches meet in all processes where they are the same, whatever the hash seed; and only there."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import pickle
import random
from collections import Counter, OrderedDict

import pytest

from helpers.marks import for_shared_caches
from helpers.program_tools import Program
from tamis import _core, _pickled, lru_cache

pytestmark = for_shared_caches


def key(*args, **kwargs):
    return _core._key(args, kwargs, False)


class Colour(enum.Enum):
    RED = "r"
    GREEN = "g"
    BLUE = "b"


@dataclasses.dataclass(frozen=True)
class Query:
    names: object
    limit: int = 0


class Names(frozenset):
    pass


class Bag(set):
    def __init__(self, items=(), note=None):
        super().__init__(items)
        self.note = note


class Node:
    def __init__(self, name):
        self.name, self.others = name, set()

    def __hash__(self):
        return hash(self.name)

    def __eq__(self, other):
        return self.name == other.name


ARGUMENTS = """
import dataclasses, datetime, decimal, enum
from collections import OrderedDict

class Colour(enum.Enum):
    RED = "r"
    GREEN = "g"
    BLUE = "b"

@dataclasses.dataclass(frozen=True)
class Query:
    names: object

class Names(frozenset):
    pass

class Bag(set):
    pass

words = ["one", "two", "three", "four", "five", "six"]
ARGUMENTS = [
    set(words),
    frozenset(words),
    (1, frozenset(words)),
    [set(words)],
    {"k": {"l": set(words)}},
    {frozenset(words): 1},
    frozenset(Colour),
    {Colour.RED: set(Colour)},
    (frozenset([Colour.RED, "a", 1]),),
    frozenset(map(decimal.Decimal, range(9))),
    frozenset(datetime.date(2020, 1, day) for day in range(1, 9)),
    Query(frozenset(words)),
    Query({"k": [set(words)]}),
    frozenset([Query(frozenset(words)), Query(frozenset(words[:3]))]),
    Names(words),
    Bag(words),
    [Names(words), Bag(Colour)],
    frozenset([Names(words), Names(words[:2])]),
    frozenset([(word, frozenset(words)) for word in words]),
    OrderedDict(a=set(words)),
    Query([set(words), {frozenset([Colour.RED, word]) for word in words}]),
    {Colour: set(words)},
    frozenset([Query, Names, len, "a"]),
    Query(Query(Bag(words))),
]
"""
SCRIPT = (
    ARGUMENTS
    + """
@shared(name="f")
def f(*args, **kwargs):
    print("computed", args, flush=True)
    return len(args)

def work(number):
    f(ARGUMENTS[number])
    f(number, key=ARGUMENTS[number])

if __name__ == "__main__":
    import multiprocessing
    for number in range(len(ARGUMENTS)):
        work(number)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.map(work, range(len(ARGUMENTS)))
"""
)


def test_sets_among_arguments_meet_in_all_processes(tmp_path):
    program = Program(tmp_path)
    program.write(script=SCRIPT)
    first, *others = (program.run("script.py", seed=seed) for seed in ("0", "1", "2", "random"))
    assert first.count("computed") == 2 * 24
    assert others == ["", "", ""]


WORDS = ["one", "two", "three", "four", "five"]
MAKERS = [
    set,
    frozenset,
    lambda items: [set(items)],
    lambda items: {"k": set(items)},
    lambda items: {1: (frozenset(items), 2)},
    lambda items: Query(set(items)),
    lambda items: Query(Query([frozenset(items)])),
    Names,
    Bag,
    lambda items: frozenset([Names(items), 1]),
    lambda items: OrderedDict(a=set(items)),
    lambda items: (decimal.Decimal(1), {datetime.date(2020, 1, 1): set(items)}),
]


@pytest.mark.parametrize("make", MAKERS)
def test_order_of_a_set_says_nothing_and_its_items_everything(make):
    shuffled = random.Random(3).sample(WORDS, len(WORDS))
    assert key(make(WORDS)) == key(make(shuffled))
    assert key(make(WORDS)) != key(make(WORDS[:-1]))
    assert key(make(WORDS)) != key(make([*WORDS[:-1], "six"]))
    assert key(make([1])) == key(make([1]))
    assert key(make([1])) != key(make(["1"]))


def test_containers_meet_by_type_and_content():
    values = [
        *([], [1], [1.0], [True], [[1]], [(1,)], (1,), {1}, {1.0}, {1: 2}, {1: 2.0}, bytearray(b"a"), b"a", [b"a"]),
        *({1: 2, 3: 4}, {3: 4, 1: 2}, OrderedDict({1: 2}), Counter("a"), [None], [0.0], [-0.0], frozenset([2])),
        *(Names([1]), Names([1.0]), Bag([1]), Bag([1], note=1), Query({1}), Query({1.0}), Query(frozenset([1]))),
        *(Colour.RED, Colour.GREEN, [Colour.RED], [Colour.GREEN], Colour, Query, [Query], [Query(1)]),
    ]
    keys = [key(value) for value in values]
    for at, one in enumerate(keys):
        for other, also in enumerate(keys):
            assert (one == also) == (at == other), (values[at], values[other])
    assert keys == [key(value) for value in values]


def test_argument_that_holds_itself_by_sets_has_a_key():
    node, other = Node("a"), Node("b")
    node.others.add(other)
    other.others.add(node)
    assert key(node) == key(node)
    assert key(node) != key(other)


def test_argument_whose_sets_lead_everywhere_has_a_key_at_once():
    nodes = [Node(str(number)) for number in range(40)]
    for node in nodes:
        node.others.update(nodes)
    assert key(nodes[0]) == key(nodes[0])


def test_large_sets_in_objects():
    for items in (range(30_000), map(decimal.Decimal, range(30_000))):
        items = list(items)
        shuffled = random.Random(5).sample(items, len(items))
        assert key(Query(frozenset(items))) == key(Query(frozenset(shuffled)))


def test_state_of_a_subclass_of_a_set_counts():
    assert key(Bag(WORDS, note={"a", "b"})) == key(Bag(WORDS, note={"b", "a"}))
    assert key(Bag(WORDS, note={"a", "b"})) != key(Bag(WORDS, note={"a", "c"}))


def test_argument_that_cannot_be_serialized_is_a_type_error():
    for argument in ([lambda: None], {lambda: None}, Query(lambda: None), Names([lambda: None])):
        with pytest.raises(TypeError, match="an argument of type .* has none"):
            key(argument)


def test_bytes_of_what_has_no_sets_are_pickle_s_own():
    for value in (decimal.Decimal(1), Query([1, "a"]), OrderedDict(a=1)):
        assert _pickled.dumps(value) == pickle.dumps(value, 5)


def test_exceptions_of_an_argument_s_own_pickling_are_told():
    class Broken:
        def __reduce__(self):
            raise ValueError("this one")

    with pytest.raises(TypeError) as caught:
        key([Broken()])
    assert repr(caught.value.__cause__) == "ValueError('this one')"


def test_serializer_of_the_user_s_does_it_all(tmp_path):
    class Serializer:
        @staticmethod
        def dumps(value):
            return repr(sorted(value) if isinstance(value, set) else value).encode()

        @staticmethod
        def loads(content):
            return eval(content)

    f = lru_cache(backend="shared", path=tmp_path, name="f", serializer=Serializer)(lambda x: len(x))
    assert f({"a", "b"}) == f({"b", "a"}) == f(["a", "b"][::1]) == 2
    assert f.cache_info().hits == 1
