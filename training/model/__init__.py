"""The model (paper, section 3), in torch.

`model` joins two levels. The grain VAE: `encoders`, `decoders` with their `heads` and `excitation`, `energy_profile`,
`overlap_add`; `parts` names them by the words of the configuration. The VAE over paths of grains: `embedding`, and
its `prior`.
"""
