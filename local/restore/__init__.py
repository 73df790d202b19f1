"""``make restore``: a table from point-in-time recovery, made ready for a stack, and the parameters that deploy a stack on it.

calls       the calls to AWS, and what to do when one is refused
origin      which table is restored, and the key of its calendars
table       the restore itself, and what AWS does not restore: stream, expiry, recovery, protection
content     what must change in the restored data: numbers of events, and tokens that were revoked since
flow        the steps in their order

Each step looks at what is there first, so that a restore that was interrupted goes on when it is run again.
"""
