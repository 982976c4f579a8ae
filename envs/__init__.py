"""Markets as environments; importing this registers ``mercato.envs:Marketplace-v0`` with Gymnasium."""

from gymnasium import register

register(
    id="Marketplace-v0",
    entry_point="mercato.envs.adapters.gym_env:MarketplaceEnv",
    vector_entry_point="mercato.envs.adapters.vector_env:MarketplaceVectorEnv",
)
