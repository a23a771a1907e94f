#pragma once
// Kernels that call, recurse, branch by a table, assert and stop themselves.
#include <cstdint>

namespace lodestone::testing {

// out[i] = the sum over a constant table of a polynomial at x[i], through a function that is not
// inlined, plus the Fibonacci number of i modulo 10, by recursion.
void run_calls(float* out, const float* x, int count);

struct Point {
  float scale;
  int values[5];
};
// out[i] = a structure passed to a function by value, changed there and returned by value.
void run_structures(int* out, Point point, int count);

// out[i] = a value that a switch of many cases chooses by i; each case of its own.
void run_switch(int* out, int count);

// An assertion that holds for values below a hundred.
void run_assertion(const int* value);
void run_trap();

// Adds the threads whose predicate holds, by barriers that count, and-combine and or-combine.
void run_counting_barriers(int* out, int bound);

// Reads a table of pointers to texts: out = the letter `letter` of text `text`.
void run_texts(int* out, int text, int letter);

// Writes to the variable that read_counter() reads on the host.
void run_counter(int value);
int read_counter();
void write_scale(float value);  // of the constant table above

}  // namespace lodestone::testing
