"""Runs a program under a container's seccomp profile: under_profile.py PROFILE [--without PREFIX] PROGRAM [ARGUMENT]...

Takes as much of the format as tuning/seccomp.json uses. A name that this libseccomp does not know is passed over, as
container runtimes do.
"""
import errno
import json
import os
import sys

try:
    import seccomp
except ImportError:
    sys.exit(77)

OPERATORS = {"SCMP_CMP_NE": seccomp.NE, "SCMP_CMP_MASKED_EQ": seccomp.MASKED_EQ}


def argument(rule):
    extra = [rule["valueTwo"]] if rule["op"] == "SCMP_CMP_MASKED_EQ" else []
    return seccomp.Arg(rule["index"], OPERATORS[rule["op"]], rule["value"], *extra)


profile = json.load(open(sys.argv[1]))
program = sys.argv[2:]
without = None
if program[0] == "--without":
    without, program = program[1], program[2:]
assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
bounds = seccomp.SyscallFilter(seccomp.ERRNO(profile["defaultErrnoRet"]))
for group in profile["syscalls"]:
    action = seccomp.ALLOW if group["action"] == "SCMP_ACT_ALLOW" else seccomp.ERRNO(group["errnoRet"])
    for name in group["names"]:
        if without and name.startswith(without):
            continue
        try:
            bounds.add_rule(action, name, *map(argument, group.get("args", [])))
        except (OSError, ValueError) as error:
            if getattr(error, "errno", errno.EINVAL) not in (errno.EINVAL, errno.EFAULT):
                raise
            print("passed over:", name, file=sys.stderr)
bounds.load()
os.execv(program[0], program)
