"""The signals of every test and of what it starts: those of a shell's foreground.

Where the tests are started with SIGINT or SIGTERM ignored (a background job, some CI), every process that they start
would ignore it as well, and a test that ends one by a signal would wait in vain.
"""

import signal

for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, handler)
