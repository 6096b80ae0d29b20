// The micro-kernels: pure functions of pointers and sizes that allocate nothing and check nothing.
//
// Activations lie in tiles: `tokens` neighbouring tokens of all features, tokens contiguous, float [features][tokens],
// where `tokens` is 1 to `max_vectors` vectors of `lanes` tokens. Tiles are aligned to 64 bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kaprune {

enum class Activation { kNone, kGelu };

// A matrix whose blocks are `block_rows` x 1, `block_rows` a multiple of 4, as a model file holds it.
struct Blocks4x1 {
  size_t block_rows;
  const float* values;      // [blocks][block_rows]
  const int32_t* starts;    // [block rows + 1]: first block of each block row
  const uint16_t* columns;  // [blocks]
  const float* bias;        // [rows]
};

// A matrix of single weights, repacked for the kernel: four rows with about as many weights each go side by side, the
// shorter ones filled up with zeros. Columns are cut into slabs, whose part of a tile stays in the first-level cache;
// the rows of each slab are grouped anew, and slabs are summed in the output.
struct Interleaved1x1 {
  struct Slab {
    uint32_t first_column;
    uint32_t first_group;
    uint32_t last_group;  // one past
  };
  const Slab* slabs;
  size_t slab_count;
  const uint32_t* rows;     // [groups][4]
  const uint32_t* starts;   // [groups + 1]: first step of each group
  const float* values;      // [steps][4]
  const uint16_t* columns;  // [steps][4], counted from the slab's first column
  const float* bias;        // [rows], filled up to a multiple of 4
};

// How the integers of a tile lie. Both have `Kernels::dot_inputs` features in as many vectors of 32 bits.
enum class Layout {
  kFeatures,  // a vector is one feature of all tokens
  kLanes,     // a lane is neighbouring features of one token, as products take them
};

// A matrix of int8 weights repacked for the kernel: those of a row in groups of `Kernels::dot_inputs`, side by side in 16
// or 8 bits each. Rows of a block row have their weights in the same columns. Of a tile in `kFeatures` a group takes any
// columns, and `block_rows` is a multiple of 4; the last group is filled up with zeros. In `kLanes` it takes neighbours.
struct Integers {
  Layout layout;
  size_t block_rows;
  const int32_t* weights;   // those of 4 rows (1 where block_rows is no multiple of 4) after another: [groups][4]
  const uint32_t* starts;   // [block rows + 1]: first group of each block row
  const uint32_t* columns;  // [groups], of `kFeatures` [groups][dot_inputs]: where they lie in a tile, in bytes
  const int32_t* initial;   // [rows]: what sums begin with, to take `Kernels::dot_offset` off
  const float* scales;      // [rows]
  const float* bias;        // [rows]
};

// Tokens of a tile in training.
constexpr size_t kTrainingTokens = 64;

// A matrix of single weights in training, in compressed sparse rows.
struct SparseRows {
  size_t rows;
  const int32_t* starts;   // [rows + 1]
  const int32_t* columns;  // [weights]
  const float* values;     // [weights]
};

// A tile of the keys and values of a sequence.
struct KeyTile {
  size_t offset;  // floats before it
  size_t width;   // tokens
  size_t tokens;  // those that do not fill up the last vector
};

// Most keys that a tile of queries meets at a time; no tile has more tokens.
constexpr size_t kKeysAtOnce = 128;

// One head of attention over one sequence.
struct AttentionHead {
  const KeyTile* tiles;
  size_t tile_count;
  const float* keys;  // tiles, of which rows `first_row` to `first_row` + `head_size` - 1 are this head's
  const float* values;
  size_t first_row;
  size_t head_size;
  float scale;
  const float* mask;   // [tokens], added to the scores of every query: any numbers
  const float* bias;   // [queries][bias_stride], added to the scores of each query; or null
  size_t bias_stride;
  size_t queries;  // those that do not fill up the last vector
};

// What one instruction set offers. Each function comes for tiles of `vectors` = 1 to `max_vectors` vectors.
struct Kernels {
  const char* name;
  size_t lanes;
  size_t max_vectors;
  size_t dot_inputs;  // products of integers that are summed at a time; 0 where there is no such instruction
  int dot_offset;     // what is added to the integers of tokens, where the instruction wants them unsigned

  // y = activation(matrix . x + bias) for the block rows `first` to `last` - 1; x and y are tiles, y of these rows only.
  void (*multiply_4x1)(const Blocks4x1& matrix, size_t first, size_t last, Activation activation, size_t vectors,
                       const float* x, float* y);

  // The same for all rows of `matrix`; y has room for their number filled up to a multiple of 4.
  void (*multiply_1x1)(const Interleaved1x1& matrix, Activation activation, size_t vectors, const float* x, float* y);

  // rounded = x, each feature times its factor unless `factors` is null, each token in multiples of a 127th of its
  // largest magnitude; tiles.
  void (*round_tile)(size_t features, size_t vectors, const float* x, const float* factors, float* rounded);

  // The same as integers, for `multiply_int8`: a tile of `features`, filled up to a multiple of `dot_inputs`, +
  // `dot_inputs` has room for them. `vectors` is at most `dot_inputs`. Null, and the next one too, where there are no
  // `dot_inputs`.
  void (*quantize_tile)(Layout layout, size_t features, size_t vectors, const float* x, const float* factors,
                        float* integers);

  // As `multiply_4x1`; x is what `quantize_tile` made.
  void (*multiply_int8)(const Integers& matrix, size_t first, size_t last, Activation activation, size_t vectors,
                        const float* x, float* y);

  // output = softmax(scale * queries . keys + bias + mask) . values of one head, for one tile of queries.
  //
  // queries, output: tiles of `head_size` features. scores: room for `kKeysAtOnce` rows of such a tile.
  void (*attend)(const AttentionHead& head, size_t vectors, const float* queries, float* scores, float* output);

  // tile = layer_norm(tile + residual) over its features.
  void (*add_and_normalize)(const float* residual, const float* gamma, const float* beta, size_t features,
                            float epsilon, size_t vectors, float* tile);

  // y = matrix . x + bias, of which null is none; tiles of `kTrainingTokens`.
  void (*multiply_rows)(const SparseRows& matrix, const float* bias, const float* x, float* y);

  // gradient += that of the matrix's weights, whose own values are not read, from x and the gradient dy of the product:
  // `tiles` tiles of `kTrainingTokens` each, those of x with `columns` features.
  void (*add_gradient)(const SparseRows& matrix, size_t tiles, const float* x, size_t columns, const float* dy,
                       float* gradient);

  // Makes a tile of `tokens` rows of `x`, row i at x + i * stride; tokens that the tile has beyond them become 0.
  void (*to_tile)(const float* x, size_t stride, size_t tokens, size_t features, size_t vectors, float* tile);

  // marks[i] = 0 where all features of row i of `x`, at x + i * stride, are finite; NaN where not.
  void (*mark_not_finite)(const float* x, size_t stride, size_t tokens, size_t features, float* marks);

  // The way back; y has `tokens` rows.
  void (*from_tile)(const float* tile, size_t vectors, size_t features, size_t tokens, float* y, size_t stride);

  // Runs `steps` rounds of independent multiply-adds on registers alone and returns how many that were, counting each
  // lane: the most that this core can do, which the benchmark compares with.
  size_t (*multiply_adds)(size_t steps);
};

// Every instruction set that this library was built for and this processor has, the best first. The last one is
// portable.
const Kernels* const* available_kernels(size_t* count);

// The best one, or the one that the environment variable KAPRUNE_INSTRUCTION_SET names when this is first called.
//
// Throws std::invalid_argument where this processor does not have that one.
const Kernels& kernels();

}  // namespace kaprune
