"""The text that `python -m tamis remote --help` prints."""

REMOTE_HELP = """\
usage: python -m tamis remote URL list  [--json]
       python -m tamis remote URL show  NAMESPACE [--json]
       python -m tamis remote URL clear NAMESPACE [--json]

Look after what caches with a tamis.remote.Redis have on a server.

commands:
  list   a table of all namespaces
  show   the functions of one, with their entries
  clear  drop the entries of one, on all machines

arguments:
  URL         where the server is: redis://, rediss:// or unix://
  NAMESPACE   what the programs give as namespace

options:
  --json      as JSON
  -h, --help  show this help

The server is looked through by SCAN, a part at a time, and never by KEYS.
`clear` gives each function a new epoch, which its processes hear of at once,
and then unlinks the old entries, a hundred at a time. No value is read.

exit status:
  0  done
  1  whoever reads the output has closed it
  2  the command line is wrong, there is no such namespace, or the server does
     not answer; one line on stderr says why
"""

# What a server's user has to be allowed, as ACL SETUSER takes it: the guide has it too.
RIGHTS = (
    "~tamis:1:*",
    "&__redis__:invalidate",
    "+ping",
    "+get",
    "+set",
    "+del",
    "+strlen",
    "+pttl",
    "+pexpire",
    "+eval",
    "+evalsha",
    "+subscribe",
    "+client|id",
    "+client|tracking",
)
