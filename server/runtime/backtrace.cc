#include "runtime/backtrace.h"

#include "runtime/fiber.h"
#include "runtime/sanitizers.h"

extern "C" const char __executable_start[];
extern "C" const char etext[];

namespace millrace::rt {

namespace {

// What Boost.Context's jump_fcontext leaves at the address it returns (jump_<arch>_..._elf_gas.S): offsets of the saved
// frame pointer and of the address to go on at, and the size of the block, which make_fcontext uses as well.
#if defined(__x86_64__)
constexpr uintptr_t kSavedFp = 0x30, kSavedPc = 0x38, kSavedBytes = 0x40;
#elif defined(__aarch64__)
constexpr uintptr_t kSavedFp = 0x90, kSavedPc = 0xa0, kSavedBytes = 0xb0;
#else
#error "backtraces of parked fibers need the layout of Boost.Context's saved registers"
#endif

MR_NO_SANITIZE uintptr_t ReadWord(uintptr_t address) { return *reinterpret_cast<volatile uintptr_t*>(address); }

}  // namespace

FrameWalk::FrameWalk(SavedFrame from, const void* low, const void* high)
    : at_(from), low_(reinterpret_cast<uintptr_t>(low)), high_(reinterpret_cast<uintptr_t>(high)) {}

uintptr_t FrameWalk::Next() {
  uintptr_t pc = at_.pc;
  at_.pc = 0;
  // A frame is two words, the caller's frame pointer and the return address. Frame pointers only ever go up.
  auto holds_frame = [this](uintptr_t fp, uintptr_t above) {
    return fp % sizeof(uintptr_t) == 0 && fp >= low_ && fp >= above && fp < high_ &&
           high_ - fp >= 2 * sizeof(uintptr_t);
  };
  if (holds_frame(at_.fp, at_.sp)) {
    uintptr_t caller = ReadWord(at_.fp);
    // The outermost frame has a caller that is none.
    if (holds_frame(caller, at_.fp + 1)) {
      at_ = {.pc = ReadWord(at_.fp + sizeof(uintptr_t)), .fp = caller, .sp = at_.fp};
    }
  }
  return pc;
}

MR_NO_SANITIZE SavedFrame WhereItStands(const Fiber& fiber) {
  const auto& now = reinterpret_cast<const volatile Fiber&>(fiber);
  SavedFrame frame;
  frame.pc = now.preempted_at.pc;
  frame.fp = now.preempted_at.fp;
  frame.sp = now.preempted_at.sp;
  if (frame.pc != 0) return frame;
  auto low = reinterpret_cast<uintptr_t>(now.stack_low);
  auto high = reinterpret_cast<uintptr_t>(&fiber);
  auto top = reinterpret_cast<uintptr_t>(now.stack_top) & ~uintptr_t{15};
  auto context = reinterpret_cast<uintptr_t>(now.context);
  if (context < low || context >= high || high - context < kSavedBytes) return {};
  // No fiber that has begun stands as high as that: the frame of its outermost function is above.
  if (context == top - kSavedBytes) return {.pc = reinterpret_cast<uintptr_t>(now.entry), .fp = 0, .sp = top};
  return {.pc = ReadWord(context + kSavedPc), .fp = ReadWord(context + kSavedFp), .sp = context + kSavedBytes};
}

bool InOwnCode(uintptr_t pc) {
  return pc >= reinterpret_cast<uintptr_t>(__executable_start) && pc < reinterpret_cast<uintptr_t>(etext);
}

MR_NO_SANITIZE size_t WalkFromTheKernel(const Fiber& fiber, uintptr_t pc, uintptr_t sp, uintptr_t* pcs, size_t max) {
  const auto& now = reinterpret_cast<const volatile Fiber&>(fiber);
  const auto low = reinterpret_cast<uintptr_t>(now.stack_low);
  const auto top = reinterpret_cast<uintptr_t>(now.stack_top);
  const auto high = reinterpret_cast<uintptr_t>(&fiber);
  constexpr uintptr_t kWord = sizeof(uintptr_t);
  if (max == 0 || sp < low || sp >= high || sp % kWord != 0) return 0;
  size_t count = 0;
  pcs[count++] = pc;
  // What lies on the stack may also look like a frame by chance, or be one of a call long over. From a true one the
  // frame pointers lead to the outermost frame, right below the top.
  auto is_frame = [&](uintptr_t fp) {
    constexpr uintptr_t kOutermostBytes = 512;
    if (!InOwnCode(ReadWord(fp + kWord))) return false;
    for (uintptr_t at = fp;;) {
      uintptr_t caller = ReadWord(at);
      if (caller <= at || caller % (2 * kWord) != 0 || caller > high - 2 * kWord)
        return at != fp && at < top && at + kOutermostBytes >= top;
      at = caller;
    }
  };
  // The first such address above the system call: where the library will return to.
  uintptr_t caller = 0;
  for (uintptr_t at = sp; at <= high - 2 * kWord; at += kWord) {
    if (at % (2 * kWord) == 0 && is_frame(at)) {
      FrameWalk walk({.pc = caller, .fp = at, .sp = at}, now.stack_low, &fiber);
      uintptr_t next = walk.Next();
      if (next == 0) next = walk.Next();
      for (; next != 0 && count < max; next = walk.Next()) pcs[count++] = next;
      break;
    }
    if (caller == 0 && InOwnCode(ReadWord(at))) caller = ReadWord(at);
  }
  return count;
}

}  // namespace millrace::rt
