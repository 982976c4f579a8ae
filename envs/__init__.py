"""Markets as environments; importing this registers them with Gymnasium.

``mercato.envs:Marketplace-v0`` plays any market; the others problems whose optimum is known, a family each,
``cell`` being one of `mercato problem --list`.
"""

from gymnasium import register

_PROBLEMS = {
    "Clearance-v0": ("clearance", "n30-s0.3"),
    "FiniteStock-v0": ("finite-stock", "n10-d10-T20"),
    "FixedOrderCost-v0": ("fixed-order-cost", "poisson-L0-m20-K64"),
    "FreshFood-v0": ("fresh-food", "fifo-m2"),
    "JointReplenishment-v0": ("joint-replenishment", "m2-m2-K10"),
    "LostSales-v0": ("lost-sales", "poisson-L4-p4"),
    "Newsvendor-v0": ("newsvendor", "poisson-m50-h0.18-p0.7"),
    "PricesAndOrders-v0": ("prices-and-orders", "R1-L0"),
    "SlowSupply-v0": ("slow-supply", "L2"),
}
"""Family of problems by its id, and its usual cell."""

register(
    id="Marketplace-v0",
    entry_point="mercato.envs.adapters.gym_env:MarketplaceEnv",
    vector_entry_point="mercato.envs.adapters.vector_env:MarketplaceVectorEnv",
)
for _id, (_family, _cell) in _PROBLEMS.items():
    register(
        id=_id,
        entry_point="mercato.envs.problems.environments:environment",
        vector_entry_point="mercato.envs.problems.environments:vector_environment",
        kwargs={"family": _family, "cell": _cell},
    )
