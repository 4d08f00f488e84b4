"""Quantized Model Operator: from a ``QuantizedModel`` to an answering vLLM endpoint.

observe  I/O   key                                   -> Observed
resolve  pure  Observed, settings                    -> ResolvedModel | InvalidModel
plan     pure  ResolvedModel, Observed, now          -> Plan
render   pure  Plan                                  -> DesiredObjects
apply    I/O   DesiredObjects                        -> AppliedObjects
report   pure  everything learned                    -> ModelStatus, written by publish (I/O)
"""
