"""What the server does in one step, in its Lua.

Each script gets the name of the function's epoch first, and does nothing where that is no longer the caller's: the
answer is then the one that holds. An epoch that is gone is made anew from what the caller brings, never from a number
that was used before: what was stored under older ones is not found again.
"""

from __future__ import annotations

from hashlib import sha1

_EPOCH = """
local epoch = redis.call('GET', KEYS[1])
if not epoch then
  epoch = ARGV[2]
  redis.call('SET', KEYS[1], epoch)
end
if epoch ~= ARGV[1] then return {'epoch', epoch} end
"""


class Script:
    """A script and the name that the server knows it by."""

    def __init__(self, source: str, keys: int) -> None:
        self.source = source.encode()
        # The server names scripts so: EVALSHA.
        self.digest = sha1(self.source, usedforsecurity=False).hexdigest().encode()
        self.keys = b"%d" % keys


# The name of a lease holds the token of whoever computes; or a fence, which begins with '!': what was being computed
# when that was put there is not stored.
_LEASE = """
local lease = redis.call('GET', KEYS[3])
local fence = lease and string.sub(lease, 1, 1) == '!' and lease or ''
"""

_TAKE = """
if not lease or fence ~= '' then
  redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[4])
  return {'lease'}
end
return {'other', lease}
"""

# KEYS: epoch, value, lease. ARGV: epoch, another epoch, token or '', milliseconds of a lease, most bytes of a value.
# The value with its remaining time; or the lease; or who has the lease; or nothing, with the fence.
LOOK = Script(
    _EPOCH
    + """
local size = redis.pcall('STRLEN', KEYS[2])
if type(size) == 'number' and size > 0 and size <= tonumber(ARGV[5]) then
  local value = redis.call('GET', KEYS[2])
  if value then return {'value', value, redis.call('PTTL', KEYS[2])} end
end
"""
    + _LEASE
    + """
if ARGV[3] == '' then return {'none', fence} end
"""
    + _TAKE,
    3,
)

# KEYS: as above. ARGV: epoch, another epoch, token, milliseconds of a lease.
CLAIM = Script(_EPOCH + _LEASE + _TAKE, 3)

# KEYS: as above. ARGV: epoch, another epoch, who stores, value, milliseconds, milliseconds of a fence. Who stores: 't'
# with the token of a lease, which must still stand; 'f' with the fence that was there before it computed; or 'p' with a
# new fence, against all that is being computed.
STORE = Script(
    _EPOCH
    + _LEASE
    + """
local who, mark = string.sub(ARGV[3], 1, 1), string.sub(ARGV[3], 2)
if who == 't' and lease ~= mark or who == 'f' and fence ~= '' and fence ~= mark then return {'superseded'} end
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
if who == 't' then redis.call('DEL', KEYS[3]) end
if who == 'p' then redis.call('SET', KEYS[3], mark, 'PX', ARGV[6]) end
return {'stored'}
""",
    3,
)

# KEYS: as above. ARGV: epoch, another epoch, a new fence, milliseconds of it.
INVALIDATE = Script(
    _EPOCH
    + """
redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[4])
return {'done', redis.call('DEL', KEYS[2])}
""",
    3,
)

# KEYS: lease. ARGV: token, milliseconds. 1: the lease still stands, and does for so long.
RENEW = Script(
    """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
""",
    1,
)

# KEYS: lease. ARGV: token.
RELEASE = Script(
    """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
""",
    1,
)
