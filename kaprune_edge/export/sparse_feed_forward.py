"""`ai.kaprune::SparseFeedForward`: the operator's definition by `SparseLinear` and standard ONNX."""

__all__ = ["BODY", "OP_TYPE"]

OP_TYPE = "SparseFeedForward"
BODY = """
<domain: "ai.kaprune", opset_import: ["" : 20, "ai.kaprune" : 1]>
SparseFeedForward
  <intermediate_features, intermediate_blocksize, activation, output_features, output_blocksize, epsilon>
  (X,
   intermediate_values, intermediate_crow_indices, intermediate_col_indices, intermediate_scales,
   intermediate_bias,
   output_values, output_crow_indices, output_col_indices, output_scales, output_bias,
   gamma, beta) => (Y)
{
  intermediate = ai.kaprune.SparseLinear <
    out_features: int = @intermediate_features,
    blocksize: ints = @intermediate_blocksize,
    activation: string = @activation
  > (X, intermediate_values, intermediate_crow_indices, intermediate_col_indices, intermediate_scales,
     intermediate_bias)
  output = ai.kaprune.SparseLinear <
    out_features: int = @output_features, blocksize: ints = @output_blocksize, activation: string = "none"
  > (intermediate, output_values, output_crow_indices, output_col_indices, output_scales, output_bias)
  residual = Add (output, X)
  Y = LayerNormalization <axis: int = -1, epsilon: float = @epsilon> (residual, gamma, beta)
}
"""
