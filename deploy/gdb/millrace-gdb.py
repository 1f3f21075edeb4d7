# Fibers in gdb, of a live process or a core. Needs gdb 11 or newer with Python; x86-64 and arm64.
#
#   gdb -x deploy/gdb/millrace-gdb.py -p PID
#   gdb -x deploy/gdb/millrace-gdb.py build/bin/millraced core
#
#   (gdb) info fibers          every live fiber: id, name, state or wait reason, since when, where it stands
#   (gdb) fiber 17 bt          its backtrace; what follows bt goes to gdb's own: fiber 17 bt full
#   (gdb) fiber all bt         everybody's
#
# "Since when" counts back from the last switch of all. A core made by the kernel (kill -ABRT) has all stacks; gcore loses those
# around pages that cannot be read, which since Linux 6.13 are the guards of every stack.
import re
import struct

import gdb
import gdb.unwinder

# The words of millrace_layout in server/runtime/slab.cc.
VERSION = 2
LAYOUT = {"version": 0, "first_slab": 1, "ticks_per_ns": 2, "states": 3, "wait_reasons": 7, "slab": 23, "fiber_bytes": 28,
          "fiber": 29, "colors": 39}
STATES, WAIT_REASONS, WORDS = 4, 16, 41
SLAB_FIELDS = ("base", "stride", "count", "used", "next")
FIBER_FIELDS = ("context", "state", "wait_reason", "id", "name", "since", "entry", "stack_low", "stack_top", "preempted_at")
FREE, READY, RUNNING, PARKED = 0, 1, 2, 3
BLOCKING = "blocking call"

# What Boost.Context's jump_fcontext saves, by offset, and how many bytes that takes.
SAVED = {
    "x86_64": (0x40, "rsp", "rip", {"r12": 0x08, "r13": 0x10, "r14": 0x18, "r15": 0x20, "rbx": 0x28, "rbp": 0x30, "rip": 0x38}),
    "aarch64": (0xB0, "sp", "pc", dict([("x%d" % (19 + i), 0x40 + 8 * i) for i in range(12)] + [("pc", 0xA0)])),
}
FRAME_POINTER = {"x86_64": "rbp", "aarch64": "x29"}


def memory(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def words(address, count):
    return struct.unpack("<%dQ" % count, memory(address, 8 * count))


def text(address):
    if address == 0:
        return ""
    try:
        return gdb.Value(address).cast(gdb.lookup_type("char").pointer()).string(errors="replace", length=-1)
    except gdb.error:
        return "?"


def architecture():
    name = gdb.selected_inferior().architecture().name()
    if "x86-64" in name:
        return "x86_64"
    if "aarch64" in name:
        return "aarch64"
    raise gdb.GdbError("fibers can be shown on x86-64 and arm64 only, not on " + name)


class Layout:
    def __init__(self):
        try:
            address = int(gdb.parse_and_eval("(unsigned long)&millrace_layout"))
        except gdb.error:
            raise gdb.GdbError("no symbol millrace_layout: is this a program with millrace's runtime, and not stripped?")
        try:
            self.all = words(address, WORDS)
        except gdb.MemoryError:
            raise gdb.GdbError("no process and no core to look at")
        if self.at("version") != VERSION:
            raise gdb.GdbError("the program has layout %d, this script knows %d: take the script of its release"
                               % (self.at("version"), VERSION))
        self.ticks_per_ns = struct.unpack("<d", struct.pack("<Q", self.at("ticks_per_ns")))[0]
        self.states = [text(a) for a in self.at("states", STATES)]
        self.wait_reasons = [text(a) for a in self.at("wait_reasons", WAIT_REASONS)]
        self.slab = dict(zip(SLAB_FIELDS, self.at("slab", len(SLAB_FIELDS))))
        self.fiber = dict(zip(FIBER_FIELDS, self.at("fiber", len(FIBER_FIELDS))))

    def at(self, name, count=None):
        first = LAYOUT[name]
        return self.all[first] if count is None else self.all[first:first + count]


class Fiber:
    def __init__(self, layout, address, block):
        def word(name, extra=0):
            return struct.unpack_from("<Q", block, layout.fiber[name] + extra)[0]

        self.address = address
        self.state = struct.unpack_from("<I", block, layout.fiber["state"])[0]
        self.reason = block[layout.fiber["wait_reason"]]
        self.id, self.since, self.context, self.entry = word("id"), word("since"), word("context"), word("entry")
        self.low, self.top, self.name_at = word("stack_low"), word("stack_top"), word("name")
        self.preempted = tuple(word("preempted_at", 8 * i) for i in range(3))  # pc, fp, sp
        self.label = self.label_of(layout)

    def label_of(self, layout):
        reason = layout.wait_reasons[self.reason] if self.reason < len(layout.wait_reasons) else "?"
        # One that comes out of a blocking call and waits for a processor has not been stopped by a signal.
        if self.state == READY and self.preempted[0] != 0 and reason != BLOCKING:
            return "preempted"
        names, index = (layout.wait_reasons, self.reason) if self.state == PARKED else (layout.states, self.state)
        return names[index] if index < len(names) else "?"

    def title(self):
        name = text(self.name_at)
        return "fiber %d%s" % (self.id, " '%s'" % name if name else "")

    # The registers it will go on with, by name; None if it has not begun, or runs.
    def registers(self):
        arch = architecture()
        size, sp, pc, saved = SAVED[arch]
        if self.preempted[0] != 0:
            return {pc: self.preempted[0], FRAME_POINTER[arch]: self.preempted[1], sp: self.preempted[2]}
        if self.state == RUNNING or self.context == (self.top & ~15) - size:
            return None
        if not self.low <= self.context <= self.address - size:
            return None
        block = memory(self.context, size)
        registers = {name: struct.unpack_from("<Q", block, offset)[0] for name, offset in saved.items()}
        registers[sp] = self.context + size
        return registers

    # The thread it runs on.
    def thread(self):
        arch = architecture()
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            sp = int(gdb.newest_frame().read_register(SAVED[arch][1]))
            if self.low <= sp < self.address:
                return thread
        return None


def live_fibers():
    layout = Layout()
    found = []
    slab = words(layout.at("first_slab"), 1)[0]
    while slab != 0:
        try:
            header = {name: words(slab + offset, 1)[0] for name, offset in layout.slab.items()}
        except gdb.MemoryError:
            gdb.write("the slab at 0x%x and those behind it are not in this core; was it made by gcore?\n" % slab)
            break
        for i in range(header["used"]):
            colors, color_bytes = layout.at("colors", 2)
            address = header["base"] + (i + 1) * header["stride"] - layout.at("fiber_bytes") - i % colors * color_bytes
            try:
                fiber = Fiber(layout, address, memory(address, layout.at("fiber_bytes")))
            except gdb.MemoryError:
                gdb.write("the fiber at 0x%x is not in this core; was it made by gcore?\n" % address)
                continue
            if fiber.state != FREE:
                found.append(fiber)
        slab = header["next"]
    return layout, sorted(found, key=lambda fiber: fiber.id)


class Selected(gdb.unwinder.Unwinder):
    """While a fiber is selected, the caller of the innermost frame is that fiber: gdb unwinds it with all it knows."""

    class Id:
        def __init__(self, sp, pc):
            self.sp, self.pc = gdb.Value(sp), gdb.Value(pc)

    def __init__(self):
        super().__init__("millrace fibers")
        self.registers = None
        self.thread_at = None

    def select(self, registers):
        self.registers = None
        gdb.invalidate_cached_frames()
        self.thread_at = self.where(gdb.newest_frame())
        self.registers = registers
        gdb.invalidate_cached_frames()

    @staticmethod
    def where(frame):
        sp, pc = SAVED[architecture()][1:3]
        return int(frame.read_register(sp)), int(frame.read_register(pc))

    def __call__(self, pending):
        # Not by its level: functions inlined into it come first.
        if self.registers is None or self.where(pending) != self.thread_at:
            return None
        sp, pc = SAVED[architecture()][1:3]
        # Below the fiber's frames: gdb does not believe in callers that lie deeper.
        info = pending.create_unwind_info(Selected.Id(self.registers[sp] - 16, self.registers[pc]))
        for name, value in self.registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(pending.read_register(name).type))
        return info


selected = Selected()
gdb.unwinder.register_unwinder(None, selected, replace=True)


def backtrace(fiber, how=""):
    """Lines as gdb's bt prints them, the fiber's innermost frame being #0."""
    before = gdb.selected_thread()
    skip = 0
    try:
        # Of a blocking call the thread tells more than the place that the runtime has noted.
        runs = fiber.state == RUNNING and fiber.preempted[0] == 0
        if (runs or fiber.label == BLOCKING) and fiber.thread() is not None:
            pass
        elif runs:
            return "on no thread that can be found\n"
        else:
            registers = fiber.registers()
            if registers is None:
                return "#0  not begun; it will call %s\n" % gdb.execute("info symbol 0x%x" % fiber.entry, to_string=True).strip()
            selected.select(registers)
            frame = gdb.newest_frame()
            while frame is not None and Selected.where(frame) == selected.thread_at:
                frame = frame.older()
                skip += 1
        lines = gdb.execute("bt " + how, to_string=True).splitlines(True)
    finally:
        selected.registers = None
        gdb.invalidate_cached_frames()
        if before is not None:
            before.switch()
    shown, number = [], -1
    for line in lines:
        frame = re.match(r"#(\d+) *", line)
        if frame is not None:
            # The outermost function of a fiber has no caller, only what a new stack happens to begin with.
            if shown and "FiberEntry" in shown[-1]:
                break
            number = int(frame.group(1)) - skip
            line = ("#%d" % number).ljust(4) + line[frame.end():]
        if number >= 0:
            shown.append(line)
    return "".join(shown)


def since(layout, fiber, last):
    seconds = max(0, last - fiber.since) / (layout.ticks_per_ns or 1) / 1e9
    return "%.0f s" % seconds if seconds >= 10 else "%.3f s" % seconds


class InfoFibers(gdb.Command):
    """Lists the fibers of the program: id, name, state or what they wait for, since when, where they stand."""

    def __init__(self):
        super().__init__("info fibers", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        layout, fibers = live_fibers()
        last = max((fiber.since for fiber in fibers), default=0)
        for fiber in fibers:
            pc = SAVED[architecture()][2]
            registers = fiber.registers() or {pc: fiber.entry}
            place = "" if fiber.label == "running" else gdb.execute("info symbol 0x%x" % registers[pc], to_string=True)
            gdb.write("%s [%s, %s] %s\n" % (fiber.title(), fiber.label, since(layout, fiber, last), place.split(" in section")[0].strip()))
        gdb.write("%d fibers\n" % len(fibers))


class FiberCommand(gdb.Command):
    """fiber ID|all bt [...]: the backtrace of one fiber, or of all."""

    def __init__(self):
        super().__init__("fiber", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        parts = argument.split(None, 2)
        if len(parts) < 2 or parts[1] not in ("bt", "backtrace") or not (parts[0] == "all" or parts[0].isdigit()):
            raise gdb.GdbError("usage: fiber ID|all bt [full|-past-main ...]; `info fibers` lists them")
        _, fibers = live_fibers()
        wanted = [fiber for fiber in fibers if parts[0] == "all" or fiber.id == int(parts[0])]
        if not wanted and parts[0] != "all":
            raise gdb.GdbError("no live fiber %s; `info fibers` lists them" % parts[0])
        for fiber in wanted:
            gdb.write("%s [%s]:\n%s\n" % (fiber.title(), fiber.label, backtrace(fiber, parts[2] if len(parts) > 2 else "")))


InfoFibers()
FiberCommand()
