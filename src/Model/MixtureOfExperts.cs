namespace Streaming.Model;

/// <summary>The feed-forward layers of a Mixtral model (Jiang et al. 2024): of several experts a router takes a few for each token.</summary>
/// <param name="Count">Experts of a layer: <c>num_local_experts</c>.</param>
/// <param name="PerToken">Experts that work on a token: <c>num_experts_per_tok</c>.</param>
/// <param name="BalanceWeight">Weight of the load-balancing loss: <c>router_aux_loss_coef</c>.</param>
/// <param name="Balances">Training adds that loss: <c>output_router_logits</c>, as in Transformers.</param>
public sealed record MixtureOfExperts(int Count, int PerToken, double BalanceWeight, bool Balances);
