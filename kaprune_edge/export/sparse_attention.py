"""`ai.kaprune::SparseAttention`: the operator's definition by `SparseLinear` and standard ONNX."""

__all__ = ["BODY", "OP_TYPE"]

OP_TYPE = "SparseAttention"
BODY = """
<domain: "ai.kaprune", opset_import: ["" : 20, "ai.kaprune" : 1]>
SparseAttention
  <num_heads, inner_features, output_features, scale, epsilon,
   query_blocksize, key_blocksize, value_blocksize, output_blocksize>
  (X, mask, position_bias,
   query_values, query_crow_indices, query_col_indices, query_scales, query_bias,
   key_values, key_crow_indices, key_col_indices, key_scales, key_bias,
   value_values, value_crow_indices, value_col_indices, value_scales, value_bias,
   output_values, output_crow_indices, output_col_indices, output_scales, output_bias,
   gamma, beta) => (Y)
{
  query = ai.kaprune.SparseLinear <
    out_features: int = @inner_features, blocksize: ints = @query_blocksize, activation: string = "none"
  > (X, query_values, query_crow_indices, query_col_indices, query_scales, query_bias)
  key = ai.kaprune.SparseLinear <
    out_features: int = @inner_features, blocksize: ints = @key_blocksize, activation: string = "none"
  > (X, key_values, key_crow_indices, key_col_indices, key_scales, key_bias)
  value = ai.kaprune.SparseLinear <
    out_features: int = @inner_features, blocksize: ints = @value_blocksize, activation: string = "none"
  > (X, value_values, value_crow_indices, value_col_indices, value_scales, value_bias)

  batch_and_length = Constant <value_ints: ints = [0, 0]> ()
  remaining = Constant <value_ints: ints = [-1]> ()
  zero_1d = Constant <value_ints: ints = [0]> ()
  heads_scalar = Constant <value_int: int = @num_heads> ()
  heads = Unsqueeze (heads_scalar, zero_1d)
  split_shape = Concat <axis: int = 0> (batch_and_length, heads, remaining)
  query_split = Reshape (query, split_shape)
  key_split = Reshape (key, split_shape)
  value_split = Reshape (value, split_shape)
  Q = Transpose <perm: ints = [0, 2, 1, 3]> (query_split)
  K_transposed = Transpose <perm: ints = [0, 2, 3, 1]> (key_split)
  V = Transpose <perm: ints = [0, 2, 1, 3]> (value_split)

  product = MatMul (Q, K_transposed)
  factor = Constant <value_float: float = @scale> ()
  scaled = Mul (product, factor)
  biased = Add (scaled, position_bias)
  scores = Add (biased, mask)
  weights = Softmax <axis: int = -1> (scores)
  context_split = MatMul (weights, V)

  # The width is written out, so that the last matrix is folded too.
  inner_scalar = Constant <value_int: int = @inner_features> ()
  inner = Unsqueeze (inner_scalar, zero_1d)
  merge_shape = Concat <axis: int = 0> (batch_and_length, inner)
  context_transposed = Transpose <perm: ints = [0, 2, 1, 3]> (context_split)
  context = Reshape (context_transposed, merge_shape)
  output = ai.kaprune.SparseLinear <
    out_features: int = @output_features, blocksize: ints = @output_blocksize, activation: string = "none"
  > (context, output_values, output_crow_indices, output_col_indices, output_scales, output_bias)
  residual = Add (output, X)
  Y = LayerNormalization <axis: int = -1, epsilon: float = @epsilon> (residual, gamma, beta)
}
"""
