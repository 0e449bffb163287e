"""The texts that `python -m tamis shared --help` and its commands' --help print."""

SHARED_HELP = """\
usage: python -m tamis shared list   [--path DIR] [--json]
       python -m tamis shared show   NAME [--entries N] [--values] [--unpickle]
                                     [--path DIR] [--json]
       python -m tamis shared clear  NAME [--path DIR] [--json]
       python -m tamis shared remove NAME [--path DIR] [--json]

Look after regions: the files that hold the entries of caches with
backend="shared", one for each, for all processes of one user.

commands:
  list    a table of all regions
  show    what one is for, its counts, and its newest entries
  clear   drop the entries of one, and zero its counts
  remove  remove the file of one

arguments:
  NAME        a region's name, or its file's, or a beginning of either that no
              other region has. Where a function was given no name, it is its
              module, its qualified name and a number for its code.

options:
  --path DIR  the directory of the regions, as the caches' option `path`.
              Default: the user's own in /dev/shm
  --json      as JSON
  -h, --help  show this help, or that of a command behind its name

states:
  in use           processes that live have it open
  idle             none has; whoever opens it finds its entries
  other namespace  its processes are of another pid namespace (a container),
                   and can't be seen from here
  earlier boot     its times are of an earlier boot; it is replaced when it is
                   opened
  other layout     another version of tamis made it; it is replaced
  damaged          its header is wrong; it is replaced
  refused          it belongs to another user, others may write it, or it is a
                   link: caches that want it raise PermissionError

security:
  All that is read of a region is checked before it is shown. Nothing of it is
  run: pickled values are loaded with `show --unpickle` only.

exit status:
  0  done
  1  whoever reads the output has closed it
  2  the command line is wrong, no region or several are meant, or the system
     refused; one line on stderr says why

examples:
  python -m tamis shared list
  python -m tamis shared show shop.price --entries 5 --values
  python -m tamis shared clear shop.price
  python -m tamis shared list --path /var/cache/shop --json
"""

LIST_HELP = """\
usage: python -m tamis shared list [--path DIR] [--json]

List the regions in a directory.

options:
  --path DIR  the directory. Default: the user's own in /dev/shm
  --json      as JSON: {"directory", "regions": [{"name", "file", "state", …}]}
  -h, --help  show this help

columns:
  region     its name, or its file's name if its contents can't be trusted
  state      see `python -m tamis shared --help`
  entries    how many it holds
  size       bytes of their keys and values, of the bytes of the file
  hits, misses, hit rate
             of all processes, since the region was made or cleared
  processes  how many have it open
  last       how long ago the newest entry was stored (with `tti`: read)

This changes nothing, takes no lock, and delays no process.

exit status:
  0, or 2 with one line on stderr. A directory that is not there is an error
  where --path names it.
"""

SHOW_HELP = """\
usage: python -m tamis shared show NAME [--entries N] [--values] [--unpickle]
                                   [--path DIR] [--json]

Show a region: what it is for, its counts, and its newest entries.

arguments:
  NAME         its name, or its file's, or a beginning of either that no other
               region has

options:
  --entries N  show so many entries. Default: 10
  --values     show values too. Those that pickle or a serializer has made are
               told by their size alone
  --unpickle   as --values, and load what pickle has made. THIS RUNS CODE THAT
               WHOEVER STORED THE VALUE HAS CHOSEN, and imports its modules
  --path DIR   the directory. Default: the user's own in /dev/shm
  --json       as JSON; calls and values are then not shortened
  -h, --help   show this help

columns of the entries:
  call   the arguments. Those of other than built-in types are told by their
         type, as '<module.type>'
  size   bytes of the value
  form   who has made them: tamis's codec, pickle, or a serializer
  age    since it was stored, or last read where there is a `tti`
  left   how long it stays fresh; or that it is stale, and for how long
  read   whether it was read since the hand of SIEVE last passed it
  value  with --values

This changes nothing, takes no lock, and delays no process: entries that are
stored or dropped meanwhile may be shown or not.

exit status:
  0, or 2 with one line on stderr.
"""

CLEAR_HELP = """\
usage: python -m tamis shared clear NAME [--path DIR] [--json]

Drop all entries of a region and zero its counts, as cache_clear() does. All
processes that have it open see that at once.

arguments:
  NAME        its name, or its file's, or a beginning of either that no other
              region has

options:
  --path DIR  the directory. Default: the user's own in /dev/shm
  --json      as JSON: {"name", "file", "cleared": the number of entries}
  -h, --help  show this help

exit status:
  0, or 2 with one line on stderr: no such region, one that can't be trusted
  (`remove` it), or its lock was held by another process for seconds.
"""

REMOVE_HELP = """\
usage: python -m tamis shared remove NAME [--path DIR] [--json]

Remove the file of a region, whatever its state. Processes that have it open go
on with theirs, together, until they end; the memory is given back then. Who
opens it from now on gets a new one, and the two know nothing of each other: to
have all processes forget entries, use `clear`.

arguments:
  NAME        its name, or its file's, or a beginning of either that no other
              region has

options:
  --path DIR  the directory. Default: the user's own in /dev/shm
  --json      as JSON: {"name", "file", "removed", "processes"}
  -h, --help  show this help

exit status:
  0, or 2 with one line on stderr.
"""
