"""`ai.kaprune::SparseLinear`: the operator, and its definition in standard ONNX that every file carries."""

import onnx.parser
import onnx_ir as ir

from kaprune_edge.sparsity.packing import BlockSparseRows

__all__ = ["ACTIVATIONS", "DOMAIN", "OPSET", "OP_TYPE", "VERSION", "attributes", "function"]

DOMAIN = "ai.kaprune"
OP_TYPE = "SparseLinear"
VERSION = 1
ACTIVATIONS = ("none", "gelu")
OPSET = 20
"""Standard opset of every exported file: the first with Gelu, and one that onnxruntime 1.20 runs."""

_BODY = """
<domain: "ai.kaprune", opset_import: ["" : 20]>
SparseLinear <out_features, blocksize, activation>
  (X, values, crow_indices, col_indices, scales, bias) => (Y)
{
  zero = Constant <value_int: int = 0> ()
  one = Constant <value_int: int = 1> ()
  axis_0 = Constant <value_ints: ints = [0]> ()
  axis_1 = Constant <value_ints: ints = [1]> ()
  axis_last = Constant <value_ints: ints = [-1]> ()
  axes_1_2 = Constant <value_ints: ints = [1, 2]> ()

  # K. Shape is folded only when a whole shape is known, hence a tensor whose one dimension is K.
  X_rows = Flatten <axis: int = -1> (X)
  X_sum = ReduceSum <keepdims: int = 0> (X_rows, axis_0)
  K = Shape (X_sum)
  N = Constant <value_int: int = @out_features> ()
  N_1d = Unsqueeze (N, axis_0)
  blocksize = Constant <value_ints: ints = @blocksize> ()
  R, C = Split <num_outputs: int = 2> (blocksize)

  # The block row of every block: count the rows that start at or before it.
  blocks = Shape <start: int = 0, end: int = 1> (values)
  slots = Add (blocks, one)
  no_marks = ConstantOfShape <value: tensor = int64[1] {0}> (slots)
  starts_int32 = Slice (crow_indices, axis_1, axis_last)
  starts = Cast <to: int = 7> (starts_int32)
  starts_shape = Shape (starts)
  marks = ConstantOfShape <value: tensor = int64[1] {1}> (starts_shape)
  row_marks = ScatterElements <axis: int = 0, reduction: string = "add"> (no_marks, starts, marks)
  rows_counted = CumSum (row_marks, zero)
  block_row = Slice (rows_counted, axis_0, blocks)
  block_column = Cast <to: int = 7> (col_indices)

  # Where every value lies in the dense matrix, [K, N] flattened.
  R_scalar = Squeeze (R)
  C_scalar = Squeeze (C)
  row_in_block_1d = Range (zero, R_scalar, one)
  row_in_block = Unsqueeze (row_in_block_1d, axis_1)
  column_in_block = Range (zero, C_scalar, one)
  block_row_3d = Unsqueeze (block_row, axes_1_2)
  block_column_3d = Unsqueeze (block_column, axes_1_2)
  block_top = Mul (block_row_3d, R)
  block_left = Mul (block_column_3d, C)
  row = Add (block_top, row_in_block)
  column = Add (block_left, column_in_block)
  column_start = Mul (column, N)
  position = Add (column_start, row)
  position_4d = Unsqueeze (position, axis_last)

  size = Mul (K, N_1d)
  zeros = ConstantOfShape (size)
  weight_flat = ScatterND (zeros, position_4d, values)
  weight_shape = Concat <axis: int = 0> (K, N_1d)
  weight = Reshape (weight_flat, weight_shape)

  product = MatMul (X, weight)
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


def function() -> ir.Function:
    """Define the operator in standard ONNX, for the files whose values are float32.

    Once X's last dimension is known, ONNX Runtime folds all of it but MatMul, Add and Gelu while loading.
    """
    return ir.serde.deserialize_function(onnx.parser.parse_function(_BODY))


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
