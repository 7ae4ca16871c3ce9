// Every macro of the library. No macro changes what a header means; they name what the compiler at hand can do.
#pragma once

#if defined(__FAST_MATH__)
#error "[hone-E101] hone is compiled with -ffast-math, which breaks its promises (same bits, NaN detection). Compile without it. See docs/errors.md#e101."
#endif

#if defined(__CUDACC__)
#define HONE_HOST_DEVICE __host__ __device__  // runs on both sides; the GPU backend calls the same formulas
#else
#define HONE_HOST_DEVICE
#endif

#if defined(__GNUC__) || defined(__clang__)
#define HONE_RESTRICT __restrict__
#else
#define HONE_RESTRICT
#endif

// Kernels are put together from small pieces that pass vectors, which must stay in registers.
#if defined(__GNUC__) || defined(__clang__)
#define HONE_ALWAYS_INLINE __attribute__((always_inline))  // functions and, after the parameter list, lambdas
#else
#define HONE_ALWAYS_INLINE
#endif
// The same in cpu/simd/, whose functions and lambdas are compiled for the instruction set at hand: see cpu/simd.hpp.
#define HONE_SIMD_INLINE HONE_ALWAYS_INLINE HONE_TARGET

#if defined(__CUDACC__)
#pragma nv_diag_suppress 1675  // nvcc hands host code's "GCC unroll" on to the host compiler, with a warning
#endif
// Unrolls the loop that follows, completely: its counter indexes registers.
#if defined(__CUDA_ARCH__)
#define HONE_UNROLL _Pragma("unroll")
#elif defined(__clang__)
#define HONE_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define HONE_UNROLL _Pragma("GCC unroll 32")
#else
#define HONE_UNROLL
#endif

// The same in kernels whose loops host compilers cannot unroll (once around, or a number known late), which they warn of.
#if defined(__CUDA_ARCH__)
#define HONE_DEVICE_UNROLL _Pragma("unroll")
#else
#define HONE_DEVICE_UNROLL
#endif

// Whether AddressSanitizer watches: it must be told of stacks that are switched by hand.
#if defined(__SANITIZE_ADDRESS__)
#define HONE_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HONE_ADDRESS_SANITIZER 1
#endif
#endif

// Code that is written out for speed alone is compiled where the compiler optimises, and not under the sanitizer, where it
// would take minutes: there loops do the same, to the bit, so that files of one program may differ in it.
#if defined(__OPTIMIZE__) && !defined(HONE_ADDRESS_SANITIZER)
#define HONE_WRITTEN_OUT 1
#else
#define HONE_WRITTEN_OUT 0
#endif

// Whether fibers have a switch of their own for this processor; else <ucontext.h>.
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__)) && !defined(_WIN32)
#define HONE_FIBER_X86_64 1
#endif

// The most that kernels of processors are compiled for (core/instruction_set.hpp): portable, avx2, avx512 or amx. Less
// compiles faster; better processors then run what there is. All files of a program must say the same.
#if !defined(HONE_BEST_INSTRUCTION_SET)
#define HONE_BEST_INSTRUCTION_SET amx
#endif

// A function that is long and no template stands in its header twice: declared, and below, between "#if HONE_BODIES" and its
// end, defined. A program may compile these bodies once, as it may the processor's kernels (cpu/kernels.hpp): where
// HONE_KERNELS_ELSEWHERE is defined, headers only declare them, and one file of the program has them. It includes this
// header, defines HONE_BODIES anew, as 1, and includes the others; the CMake target hone::kernels has such files
// (cmake/hone_kernels.cmake). Headers that a body alone needs are included for bodies alone.
#if defined(HONE_KERNELS_ELSEWHERE)
#define HONE_BODIES 0
#define HONE_INLINE  // a program has one of each
#else
#define HONE_BODIES 1
#define HONE_INLINE inline
#endif
