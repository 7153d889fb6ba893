//go:build !opus

#include "textflag.h"
#include "go_asm.h"

// Lanes are numbers of 16 bits: the lower band's, the higher's, and so on as in predictor.

#define FOUR(name, first, second) \
	DATA name<>+0(SB)/8, $first; \
	DATA name<>+8(SB)/8, $second; \
	GLOBL name<>(SB), RODATA|NOPTR, $16

FOUR(leans, 0x0080008000800080, 0x0080008000800080)  // 128
FOUR(shrink, 0xff00ff00ff00ff00, 0xff00ff00ff00ff00) // -256: the upper half of a product is -x >> 8
FOUR(steer, 0x0080008000c000c0, 0)                   // 192 for a1, 128 for a2
FOUR(shrinkPoles, 0xfe00fe00ff00ff00, 0)             // -x >> 8 and -x >> 7
FOUR(most, 0x300030007fff7fff, 0)                    // 12288 for a2
FOUR(least, 0xd000d00080018001, 0)                   // -12288
FOUR(stable, 0x3c003c003c003c00, 0)                  // 15360
FOUR(unbound, 0x7fff7fff00000000, 0)                 // of a2 once more
FOUR(lowest, 0x8000800080008000, 0x8000800080008000)
FOUR(decide4, 0x28a01a600e900480, 0x00007bc053b03ac0) // each fourth decision level of the lower band, from the second on
FOUR(steps4, 0x3120212014300960, 0x00009fd064c04610)  // what they stand for
FOUR(decide6a, 0x0be0096006e00230, 0x1d90172014301140) // the others
FOUR(decide6b, 0x31202ca024b02120, 0x4c3046103ff035a0)
FOUR(decide6c, 0x89306e5064c05b20, 0x00000000b6709fd0)
FOUR(decide2, 0x0000000023400000, 0)                  // of the higher band: none, and its only one
FOUR(steps2, 0x0000000039e00ca0, 0)

// TIMES: x *= y, 15 binary places off.
#define TIMES(x, y, t) \
	MOVO   x, t;  \
	PMULHW y, x;  \
	PMULLW y, t;  \
	PADDW  x, x;  \
	PSRLW  $15, t; \
	POR    t, x

// PREDICT: predictor in AX, the differences in the lower lanes of X0, of which the others are 0.
#define PREDICT \
	/* adaptPoles */ \
	MOVL predictor_zeros(AX), X1; \
	PADDSW X0, X1; /* the partially reconstructed */ \
	MOVQ predictor_p(AX), X2; \
	PSHUFD $0, X1, X3; \
	PXOR X2, X3; \
	PSRAW $15, X3; /* turn, turn2 */ \
	PSLLQ $32, X2; \
	POR X1, X2; \
	MOVQ X2, predictor_p(AX); \
	MOVQ predictor_a(AX), X4; \
	MOVO X4, X5; \
	PADDSW X5, X5; \
	PADDSW X5, X5; /* 4 a1 */ \
	PCMPEQW X6, X6; \
	PXOR X3, X6; \
	PXOR X6, X5; \
	PSUBSW X6, X5; /* push */ \
	PSRAW $7, X5; \
	PSLLQ $32, X5; /* is of a2 */ \
	MOVO steer<>(SB), X7; \
	PXOR X3, X7; \
	PSUBW X3, X7; \
	MOVO X4, X8; \
	PMULHW shrinkPoles<>(SB), X8; \
	PADDW X8, X4; \
	PADDW X7, X4; \
	PADDW X5, X4; \
	PMINSW most<>(SB), X4; \
	PMAXSW least<>(SB), X4; \
	MOVO stable<>(SB), X5; \
	PSUBW X4, X5; \
	PSRLQ $32, X5; \
	POR unbound<>(SB), X5; /* limit of a1 */ \
	PXOR X6, X6; \
	PSUBW X5, X6; \
	PMINSW X5, X4; \
	PMAXSW X6, X4; \
	MOVQ X4, predictor_a(AX); \
	/* FILTEP */ \
	MOVL predictor_next(AX), X9; \
	PADDSW X0, X9; \
	PADDSW X9, X9; \
	MOVQ predictor_r(AX), X10; \
	PSLLQ $32, X10; \
	POR X9, X10; \
	MOVQ X10, predictor_r(AX); \
	TIMES(X10, X4, X11); \
	MOVO X10, X11; \
	PSRLQ $32, X11; \
	PADDSW X11, X10; \
	/* adaptZeros */ \
	PSHUFD $0, X0, X1; \
	PXOR X2, X2; \
	PCMPEQW X1, X2; \
	PANDN leans<>(SB), X2; /* none where d is 0 */ \
	MOVOU predictor_d(AX), X3; \
	MOVQ predictor_d+16(AX), X4; \
	MOVO X1, X5; \
	PXOR X3, X5; \
	PXOR X4, X1; \
	PSRAW $15, X5; \
	PSRAW $15, X1; \
	MOVO X2, X6; \
	PXOR X5, X6; \
	PXOR X1, X2; \
	PSUBW X5, X6; \
	PSUBW X1, X2; \
	MOVOU predictor_b(AX), X7; \
	MOVQ predictor_b+16(AX), X8; \
	PADDW X7, X6; \
	PADDW X8, X2; \
	PMULHW shrink<>(SB), X7; \
	PMULHW shrink<>(SB), X8; \
	PADDW X7, X6; \
	PADDW X8, X2; \
	MOVOU X6, predictor_b(AX); \
	MOVQ X2, predictor_b+16(AX); \
	PADDSW X0, X0; \
	MOVO X3, X5; \
	PSRLO $12, X5; \
	PSLLO $4, X4; \
	POR X5, X4; \
	PSLLO $4, X3; \
	POR X0, X3; \
	MOVOU X3, predictor_d(AX); \
	MOVQ X4, predictor_d+16(AX); \
	TIMES(X3, X6, X5); \
	TIMES(X4, X2, X5); \
	MOVO lowest<>(SB), X5; /* is nothing but the product of two such */ \
	MOVO X5, X6; \
	PCMPEQW X3, X5; \
	PCMPEQW X4, X6; \
	PXOR X5, X3; \
	PXOR X6, X4; \
	/* FILTEZ, the oldest first */ \
	MOVO X4, X5; \
	PSRLO $4, X5; \
	PADDSW X4, X5; \
	MOVO X3, X6; \
	PSRLO $12, X6; \
	PADDSW X6, X5; \
	MOVO X3, X6; \
	PSRLO $8, X6; \
	PADDSW X6, X5; \
	MOVO X3, X6; \
	PSRLO $4, X6; \
	PADDSW X6, X5; \
	PADDSW X3, X5; \
	MOVL X5, predictor_zeros(AX); \
	/* PREDIC */ \
	PADDSW X5, X10; \
	MOVL X10, predictor_next(AX)

// func predictBoth(p *predictor, d uint32)
TEXT ·predictBoth(SB), NOSPLIT, $0-12
	MOVQ p+0(FP), AX
	MOVL d+8(FP), X0
	PREDICT
	RET

// DIFFERENCES: of levels that stand for a step's, by levels that are not reached (none), of a sign (s), by the step (x).
#define DIFFERENCES(x, none, s, t, zero, levels) \
	MOVO    x, t;         \
	PMULHUW levels, t;    \
	PMULLW  levels, x;    \
	PCMPEQW zero, x;      \
	PAND    s, x;         \
	PSUBW   s, t;         \
	PADDW   x, t;         \
	MOVO    none, x;      \
	PANDN   t, x

// COUNT: those of eight decision levels, by the step (x), that a magnitude does not reach are taken off a sum.
#define COUNT(x, magnitude, sum, t, levels) \
	MOVO    x, t;         \
	PMULHUW levels, t;    \
	PCMPGTW magnitude, t; \
	PADDW   t, sum

// func encodeBoth(p *predictor, x, lower, higher uint32) (beyond uint32)
TEXT ·encodeBoth(SB), NOSPLIT, $0-28
	MOVQ    p+0(FP), AX
	MOVL    x+8(FP), X0
	MOVL    predictor_next(AX), X1
	PSUBSW  X1, X0               // SUBTRA
	MOVO    X0, X1
	PSRAW   $15, X1              // signs
	PXOR    X1, X0               // magnitudes
	PSHUFLW $0, X0, X3
	PSHUFD  $0, X3, X3
	PSHUFLW $0x55, X0, X4
	PSHUFLW $0, X1, X5
	PSHUFD  $0, X5, X5
	PSHUFLW $0x55, X1, X6
	MOVL    lower+12(FP), X7
	PSHUFLW $0, X7, X7
	PSHUFD  $0, X7, X7
	MOVL    higher+16(FP), X8
	PSHUFLW $0, X8, X8
	PXOR    X11, X11
	MOVO    X7, X9
	PMULHUW decide4<>(SB), X9
	PCMPGTW X3, X9
	MOVO    X9, X12
	COUNT(X7, X3, X12, X2, decide6a<>(SB))
	COUNT(X7, X3, X12, X2, decide6b<>(SB))
	COUNT(X7, X3, X12, X2, decide6c<>(SB))
	MOVO    X11, X2
	PSUBW   X12, X2
	PSADBW  X11, X2
	PSHUFD  $0x4e, X2, X12
	PADDL   X12, X2
	MOVL    X2, CX
	MOVO    X8, X14
	PMULHUW decide2<>(SB), X14
	PCMPGTW X4, X14
	DIFFERENCES(X7, X9, X5, X10, X11, steps4<>(SB))
	DIFFERENCES(X8, X14, X6, X13, X11, steps2<>(SB))
	PSLLO   $4, X1
	POR     X1, X14
	PACKSSWB X14, X14
	PMOVMSKB X14, BX
	SHLL    $8, CX
	MOVB    BX, CX
	MOVL    CX, beyond+24(FP)

	// That of the greatest level that is reached, with its sign.
	PSHUFD  $0x4e, X7, X0
	PMAXSW  X7, X0
	PSHUFD  $0xb1, X0, X1
	PMAXSW  X1, X0
	PSHUFLW $0xb1, X0, X1
	PMAXSW  X1, X0
	PSHUFLW $0xb1, X8, X1
	PMAXSW  X8, X1
	PUNPCKLWL X1, X0
	PUNPCKLWL X6, X5
	PXOR    X5, X0
	PSUBW   X5, X0
	PSLLO   $12, X0
	PSRLO   $12, X0
	PREDICT
	RET

// func filterPairs(dst *[2]int16, n int, src *[342]int16, c *[2][24]int16, before, places uint64, most uint32)
TEXT ·filterPairs(SB), NOSPLIT, $0-52
	MOVQ  dst+0(FP), DI
	MOVQ  n+8(FP), CX
	MOVQ  src+16(FP), SI
	MOVQ  c+24(FP), AX
	MOVQ  before+32(FP), X15
	MOVQ  places+40(FP), X12
	MOVL  most+48(FP), X13
	PSHUFLW $0, X13, X13
	PCMPEQW X14, X14
	PXOR  X13, X14
	MOVOU 0(AX), X6
	MOVOU 16(AX), X7
	MOVOU 32(AX), X8
	MOVOU 48(AX), X9
	MOVOU 64(AX), X10
	MOVOU 80(AX), X11

pair:
	MOVOU   0(SI), X0
	MOVOU   16(SI), X1
	MOVOU   32(SI), X2
	PSRAW   X15, X0
	PSRAW   X15, X1
	PSRAW   X15, X2
	MOVO    X0, X3
	MOVO    X1, X4
	MOVO    X2, X5
	PMADDWL X6, X0
	PMADDWL X7, X1
	PMADDWL X8, X2
	PMADDWL X9, X3
	PMADDWL X10, X4
	PMADDWL X11, X5
	PADDL   X1, X0
	PADDL   X4, X3
	PADDL   X2, X0
	PADDL   X5, X3
	MOVO    X0, X1
	PUNPCKLLQ X3, X0
	PUNPCKHLQ X3, X1
	PADDL   X1, X0
	PSHUFD  $0x4e, X0, X1
	PADDL   X1, X0
	PSRAL   X12, X0
	PACKSSLW X0, X0
	PMINSW  X13, X0
	PMAXSW  X14, X0
	MOVL    X0, (DI)
	ADDQ    $4, SI
	ADDQ    $4, DI
	DECQ    CX
	JNZ     pair
	RET
