"""``make deploy``: parameters, checks, build, deployment and protection of a stack in an account.

parameters    what template.yaml takes, and what PARAMS and the untracked file give
rules         which values go together
stages        the stages, and what their stacks begin with
plan          what is built and sent, from all of those and the stack as it is
account       the calls to AWS: all read, except one update
checks        what is looked at before anything is built, each finding with its fix
notices       what is said loudly: nobody is notified, addresses end with the stack
flow          the steps in their order
"""
