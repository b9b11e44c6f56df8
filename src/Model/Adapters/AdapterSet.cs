namespace Streaming.Model.Adapters;

/// <summary>What a run trains where it trains adapters.</summary>
/// <param name="Lora">The adapters.</param>
/// <param name="Base">Folder of the model that they are for, which stays as it is.</param>
/// <param name="Fingerprint">Of its weights; see <see cref="BaseFingerprint"/>.</param>
/// <param name="Seed">Of the first A.</param>
public sealed record AdapterSet(LoraOptions Lora, string Base, string Fingerprint, int Seed);
