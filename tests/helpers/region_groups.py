"""Expressions of callables that differ in one thing, by groups. They use what `region_cases.py` defines."""

from __future__ import annotations

GROUPS = {
    "decorated": """
        over(1)
        timed(over(1))
        timed(over(2))
        timed(timed(over(1)))
        timed(timed(over(2)))
        named(1)(over(1))
        named(2)(over(1))
        named(1)(named(2)(over(1)))
        named(2)(named(1)(over(1)))
        timed(timed(lambda x: x + 1))
        timed(timed(lambda x: x + 2))
        Decorator(over(1))
        Decorator(over(2))
        Decorator(timed(over(1)))
        Decorator(timed(over(2)))
        functools.wraps(over(1))(partial(print))
        functools.wraps(over(2))(partial(print))
        """,
    "helpers": """
        helped(over(1))
        helped(over(2))
        helped(default(1))
        helped(default(2))
        helped(by_name(1))
        helped(by_name(2))
        helped(helped(over(1)))
        helped(helped(over(2)))
        helped(helped(default(1)))
        helped(lambda x: x)
        helped(lambda x: x + 1)
        helped(len)
        helped(repr)
        helped(Plain(a=1).method)
        helped(Plain(a=2).method)
        helped(operator.itemgetter(0))
        helped(operator.itemgetter(1))
        """,
    "partials": """
        partial(lambda x: x + 1)
        partial(lambda x: x + 2)
        partial(int, base=2)
        partial(int, base=3)
        partial(divmod, 1)
        partial(divmod, True)
        partial(divmod, 1.0)
        partial(partial(divmod, 1), 2)
        partial(partial(divmod, 2), 2)
        partial(Plain(a=1).method)
        partial(Plain(a=2).method)
        partial(over(1))
        partial(over(2))
        partial(over(1), x=1)
        partial(over(1), 1)
        functools.partialmethod(over(1), 2)
        functools.partialmethod(over(1), 3)
        functools.partialmethod(over(2), 3)
        """,
    "of the module operator": """
        operator.itemgetter(0)
        operator.itemgetter(1)
        operator.itemgetter(True)
        operator.itemgetter(0, 1)
        operator.itemgetter('a')
        operator.itemgetter((1, 0))
        operator.itemgetter((True, False))
        operator.attrgetter('a')
        operator.attrgetter('b')
        operator.attrgetter('a.b')
        operator.attrgetter('a', 'b')
        operator.methodcaller('a')
        operator.methodcaller('b')
        operator.methodcaller('a', 1)
        operator.methodcaller('a', True)
        operator.methodcaller('a', x=1)
        """,
    "bound": """
        '-'.join
        '+'.join
        b'-'.join
        str.join
        bytes.join
        {1: 2}.get
        {1: 3}.get
        {1: 2.0}.get
        {True: 2}.get
        {1: (1, 0)}.get
        {1: (True, False)}.get
        {}.get
        [].append
        [1].append
        [1].index
        {1}.__contains__
        {2}.__contains__
        {'a', 'b'}.__contains__
        {'a', 'c'}.__contains__
        frozenset({'a', 'b'}).__contains__
        (1, 0).index
        (True, False).index
        dict.fromkeys
        collections.OrderedDict.fromkeys
        (5).__add__
        (6).__add__
        re.compile('a').match
        re.compile('b').match
        re.compile('a').search
        re.compile('a', re.I).match
        datetime.date(2020, 1, 1).strftime
        datetime.date(2021, 1, 1).strftime
        Plain(a=1).method
        Plain(a=True).method
        Plain.made
        Plain.still
        Point(1).scale
        Point(2).scale
        """,
    "closures": """
        over(1)
        over(1.0)
        over(True)
        over('1')
        over(b'1')
        over(bytearray(b'1'))
        over(Text('1'))
        over(Number(1))
        over(Level.LOW)
        over((1,))
        over((True,))
        over((1.0,))
        over([1])
        over([True])
        over({1})
        over({True})
        over(frozenset([1]))
        over(frozenset([True]))
        over(Items([1]))
        over(Items([True]))
        over({1: 0})
        over({True: 0})
        over({1: False})
        over({1: 0.0})
        over({1: -0.0})
        over((1, 0))
        over((True, False))
        over(((1, 0),))
        over(((True, False),))
        over([(1, 0)])
        over([(True, False)])
        over({(1, 0)})
        over({(True, False)})
        over({frozenset([1])})
        over({frozenset([True])})
        over(0.0)
        over(-0.0)
        over((0.0,))
        over((-0.0,))
        over(0j)
        over(complex(0, -0.0))
        over(double(0x7FF8000000000000))
        over(double(0x7FF8000000000001))
        over((double(0x7FF8000000000000),))
        over((double(0x7FF8000000000001),))
        over(10 ** 100)
        over(-(10 ** 100))
        over('\\ud800')
        over('\\udfff')
        over('a' * 100_000)
        over(None)
        over(...)
        over(NotImplemented)
        over({1: 2, 3: 4})
        over({3: 4, 1: 2})
        over(collections.OrderedDict({1: 2}))
        over(collections.Counter('a'))
        over(collections.defaultdict(int))
        over(collections.defaultdict(list))
        over(collections.deque([1]))
        over(collections.deque([1], maxlen=2))
        over(range(1))
        over(range(2))
        over(slice(1))
        over(slice(2))
        over(decimal.Decimal('1'))
        over(decimal.Decimal('1.0'))
        over(fractions.Fraction(1))
        over(datetime.date(2020, 1, 1))
        over(datetime.timezone.utc)
        over(pathlib.PurePosixPath('a'))
        over(pathlib.PurePosixPath('b'))
        over(uuid.UUID(int=1))
        over(re.compile('a'))
        over(re.compile('b'))
        over(types.SimpleNamespace(a=1))
        over(types.SimpleNamespace(a=True))
        over(types.MappingProxyType({1: 2}))
        over(types.MappingProxyType({1: 3}))
        over(ValueError('a'))
        over(ValueError('b'))
        over(Colour.RED)
        over(Colour.GREEN)
        over(Mode.READ)
        over(Mode.READ | Mode.WRITE)
        over(Point(1))
        over(Point(True))
        over(Point((1,)))
        over(Point((True,)))
        over(Frozen(frozenset('ab')))
        over(Frozen(frozenset('ac')))
        over(Frozen(frozenset([1])))
        over(Frozen(frozenset([True])))
        over(Plain(a=1))
        over(Plain(a=True))
        over(Plain(b=1))
        over(Slotted(1, 2))
        over(Slotted(1, 3))
        over([Point(1)] * 2)
        over([Point(1), Point(1)])
        over(int)
        over(Colour)
        over(Plain)
        over(list[int])
        over(list[str])
        over(typing.List[int])
        over(int | None)
        over(math)
        over(operator)
        over(logging.getLogger('a'))
        over(logging.getLogger('b'))
        over({over(1)})
        over({over(2)})
        over({over(1), over(2)})
        over({over(1), over(3)})
        over({Plain(a=1), Plain(a=2)})
        over({Plain(a=1), Plain(a=3)})
        """,
    "defaults": """
        default(1)
        default(True)
        default((1, 0))
        default((True, False))
        default(0.0)
        default(-0.0)
        default({'a', 'b'})
        default({'a', 'c'})
        default([])
        default({})
        default(over(1))
        default(over(2))
        by_name(1)
        by_name(True)
        by_name({'a', 'b'})
        by_name({'a', 'c'})
        """,
    "constants": """
        lambda x: (x, (1, 0))
        lambda x: (x, (True, False))
        lambda x: (x, (1.0, 0))
        lambda x: (x, ((1, 0), 2))
        lambda x: (x, ((True, False), 2))
        lambda x: (x, 0.0)
        lambda x: (x, -0.0)
        lambda x: (x, (0.0,))
        lambda x: (x, (-0.0,))
        lambda x: (x, 1)
        lambda x: (x, True)
        lambda x: (x, 1j)
        lambda x: (x, 'a')
        lambda x: (x, b'a')
        lambda x: (x, ...)
        lambda x: (x, (..., 1))
        lambda x: (x, (..., True))
        lambda x: x[1:2]
        lambda x: x[1:3]
        lambda x: x in {1, 2}
        lambda x: x in {True, 2}
        lambda x: x in {1.0, 2}
        lambda x: x in {'a', 'b', 'c'}
        lambda x: x in {'a', 'b', 'd'}
        lambda x: x in {(1, 0)}
        lambda x: x in {(True, False)}
        lambda x: [y for y in x]
        lambda x: [y + 1 for y in x]
        lambda x: (lambda y: y + 1)(x)
        lambda x: (lambda y: y + 2)(x)
        lambda x: (lambda y: (y, (1, 0)))(x)
        lambda x: (lambda y: (y, (True, False)))(x)
        """,
    "signatures": """
        lambda x: x
        lambda y: y
        lambda *x: x
        lambda **x: x
        lambda x, /: x
        lambda *, x: x
        lambda x=None: x
        marked(int)
        marked(float)
        marked('int')
        marked(list[int])
        """,
    "objects": """
        Plain(a=1)
        Plain(a=True)
        Plain(a=2)
        Plain(f=over(1))
        Plain(f=over(2))
        Slotted(1, 2)
        Slotted(2, 1)
        """,
    "local classes": """
        local(1)[0]
        local(1)[1]
        local(1)[2]
        local(1)[3]
        local(1)[4]
        local(1)[5]
        local(1)[0]()
        local(1)[1]()
        local(1)[2]()
        local(1)[3]()
        local(1)[4]()
        local(1)[5]()
        over(local(1)[2])
        over(local(1)[3])
        local_kinds(1)[0]()
        local_kinds(2)[0]()
        over(local_kinds(1)[1].B)
        over(local_kinds(2)[1].B)
        over(local_kinds(1)[1].A)
        collections.namedtuple('A', 'x')
        collections.namedtuple('A', 'y')
        """,
    "rings": """
        recursive(1)
        recursive(2)
        recursive(True)
        mutual(1)
        mutual(2)
        timed(recursive(1))
        timed(recursive(2))
        """,
    "attributes": """
        reads_attribute(1)
        reads_attribute(2)
        reads_attribute(True)
        reads_attribute(over(1))
        reads_attribute(over(2))
        timed(reads_attribute(1))
        timed(reads_attribute(2))
        attribute_of_wrapped(1)
        attribute_of_wrapped(2)
        """,
    "caches": """
        functools.lru_cache(over(1))
        functools.lru_cache(over(2))
        functools.lru_cache(typed=True)(over(1))
        tamis.lru_cache(over(1))
        tamis.lru_cache(over(2))
        tamis.lru_cache(typed=True)(over(1))
        tamis.lru_cache(key=over(1))(over(1))
        tamis.lru_cache(key=over(2))(over(1))
        tamis.lru_cache(ignore='x')(over(1))
        tamis.lru_cache(awaiting(1))
        tamis.lru_cache(awaiting(2))
        tamis.cached_method(over(1))
        tamis.cached_method(over(2))
        tamis.cached_method(awaiting(1))
        tamis.cached_method(awaiting(2))
        awaiting(1)
        awaiting(2)
        """,
    "dispatch": """
        dispatching(1)
        dispatching(2)
        timed(dispatching(1))
        timed(dispatching(2))
        """,
}
