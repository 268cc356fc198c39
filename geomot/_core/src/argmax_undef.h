/* End of what argmax_kernel.h and assign_kernel.h make for one instruction set. */
#undef LANES
#undef ROWS
#undef TARGET
#undef NAME
#undef WIDE
#undef SUM
#undef LESS
#undef PLUS
#undef MINUS
#undef LARGER
#undef EQUAL
#undef ATLEAST
#undef PEAK
#undef SCORES
#undef STORE
#undef LOAD
#undef VEC
