"""`ai.kaprune::SparseLinear`: the operator, and its definition in standard ONNX that every file carries."""

import onnx_ir as ir

from kaprune_edge.sparsity.packing import BlockSparseRows

__all__ = ["ACTIVATIONS", "BODY", "EQUALIZED_INT8_BODY", "INT8_BODY", "OP_TYPE", "attributes"]

OP_TYPE = "SparseLinear"
ACTIVATIONS = ("none", "gelu")
BODY = """
<domain: "ai.kaprune", opset_import: ["" : 20]>
SparseLinear <out_features, blocksize, activation>
  (X, values, crow_indices, col_indices, scales, bias) => (Y)
{
  zero = Constant <value_int: int = 0> ()
  one = Constant <value_int: int = 1> ()
  zero_1d = Constant <value_ints: ints = [0]> ()
  one_1d = Constant <value_ints: ints = [1]> ()
  minus_one_1d = Constant <value_ints: ints = [-1]> ()
  axes_1_2 = Constant <value_ints: ints = [1, 2]> ()
  axes_1_2_3 = Constant <value_ints: ints = [1, 2, 3]> ()
  blocksize = Constant <value_ints: ints = @blocksize> ()
  R, C = Split <num_outputs: int = 2> (blocksize)

  # K. Shape is folded only where a whole shape is known, hence a tensor whose one dimension is K.
  X_rows = Flatten <axis: int = -1> (X)
  X_sum = ReduceSum <keepdims: int = 0> (X_rows, zero_1d)
  K = Shape (X_sum)
  N_scalar = Constant <value_int: int = @out_features> ()
  N = Unsqueeze (N_scalar, zero_1d)

  # The block row of every block: count the rows that start at or before it.
  blocks = Shape <start: int = 0, end: int = 1> (values)
  slots = Add (blocks, one)
  no_marks = ConstantOfShape <value: tensor = int64[1] {0}> (slots)
  starts_int32 = Slice (crow_indices, one_1d, minus_one_1d)
  starts = Cast <to: int = 7> (starts_int32)
  starts_shape = Shape (starts)
  marks = ConstantOfShape <value: tensor = int64[1] {1}> (starts_shape)
  row_marks = ScatterElements <axis: int = 0, reduction: string = "add"> (no_marks, starts, marks)
  rows_counted = CumSum (row_marks, zero)
  block_row = Slice (rows_counted, zero_1d, blocks)
  block_column = Cast <to: int = 7> (col_indices)

  # The place of every value in W transposed, [blocks, R, C, 2].
  R_scalar = Squeeze (R)
  R_range = Range (zero, R_scalar, one)
  row_in_block = Unsqueeze (R_range, axes_1_2)
  top = Mul (block_row, R)
  top_4d = Unsqueeze (top, axes_1_2_3)
  row = Add (top_4d, row_in_block)
  C_scalar = Squeeze (C)
  C_range = Range (zero, C_scalar, one)
  column_in_block = Unsqueeze (C_range, one_1d)
  left = Mul (block_column, C)
  left_4d = Unsqueeze (left, axes_1_2_3)
  column = Add (left_4d, column_in_block)
  values_shape = Shape (values)
  place_shape = Concat <axis: int = 0> (values_shape, one_1d)
  row_of_value = Expand (row, place_shape)
  column_of_value = Expand (column, place_shape)
  place = Concat <axis: int = -1> (column_of_value, row_of_value)

  W_shape = Concat <axis: int = 0> (K, N)
  zeros = ConstantOfShape (W_shape)
  # float32 values have no scales, and Clip without a bound gives what it was given. It is there since tools,
  # such as onnxslim, drop inputs that a definition does not read.
  unscaled = Clip (values, scales)
  W_transposed = ScatterND (zeros, place, unscaled)
  product = MatMul (X, W_transposed)
  linear = Add (product, bias)
  activation = Constant <value_string: string = @activation> ()
  gelu = Constant <value_string: string = "gelu"> ()
  is_gelu = Equal (activation, gelu)
  Y = If (is_gelu) <
    then_branch: graph = with_gelu () => (Y_gelu) { Y_gelu = Gelu (linear) },
    else_branch: graph = without () => (Y_linear) { Y_linear = Identity (linear) }
  >
}
"""
"""For float32 values. Once X's last dimension is known, ONNX Runtime folds all but MatMul, Add and Gelu."""

INT8_BODY = BODY.replace(
    BODY[BODY.index("# float32 values") : BODY.index("product = MatMul")].rstrip(),
    """values_float = Cast <to: int = 1> (values)
  W_transposed = ScatterND (zeros, place, values_float)""",
).replace(
    "product = MatMul (X, W_transposed)",
    """
  # Each token in steps of 1/127 of its largest magnitude.
  magnitude = Abs (X)
  largest_magnitude = ReduceMax (magnitude, minus_one_1d)
  tiny = Constant <value_float: float = 1e-30> ()
  largest = Max (largest_magnitude, tiny)
  steps = Constant <value_float: float = 127.0> ()
  inverse = Div (steps, largest)
  X_steps = Mul (X, inverse)
  X_integers = Round (X_steps)
  step = Div (largest, steps)

  integers_product = MatMul (X_integers, W_transposed)
  stepped = Mul (integers_product, step)
  product = Mul (stepped, scales)""",
)
"""For int8 values with scales. A function cannot ask for its inputs' types: a file has one of the two.

Tokens are rounded as they come, and integers multiplied: as float32 here, exact up to sums of 2^24.
"""

EQUALIZED_INT8_BODY = (
    INT8_BODY.replace(
        "magnitude = Abs (X)",
        """no_factors = ConstantOfShape <value: tensor = float[1] {1}> (K)
  scales_and_ones = Concat <axis: int = 0> (scales, no_factors)
  N_and_K = Add (N, K)
  factors = Slice (scales_and_ones, N, N_and_K)
  X_equalized = Mul (X, factors)
  magnitude = Abs (X_equalized)""",
    )
    .replace("X_steps = Mul (X, inverse)", "X_steps = Mul (X_equalized, inverse)")
    .replace(
        "product = Mul (stepped, scales)",
        """row_scales = Slice (scales, zero_1d, N)
  product = Mul (stepped, row_scales)""",
    )
)
"""The same where some matrices have factors of X behind the scales of their rows."""


def attributes(packed: BlockSparseRows, activation: str) -> list[ir.Attr]:
    """Give the operator's attributes for a packed [N, K] matrix.

    Args:
        packed: The matrix.
        activation: One of `ACTIVATIONS`.
    """
    return [
        ir.AttrInt64("out_features", packed.shape[0]),
        ir.AttrInt64s("blocksize", list(packed.values.shape[1:])),
        ir.AttrString("activation", activation),
    ]
