"""Programs that run in other pods than the operator, one module each.

They share `quantized_model_operator.domain` with the operator and nothing else of it.
"""
