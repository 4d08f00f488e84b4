"""What a user may write: types, conditions and the CRD made from them."""
