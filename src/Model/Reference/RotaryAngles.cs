namespace Streaming.Model.Reference;

/// <summary>
/// The constants of rotary position embeddings (Su et al. 2021) as Transformers' Mistral computes them, in float32: pair i of
/// a head of width H turns by <c>position / theta^(2i / H)</c>.
/// </summary>
public static class RotaryAngles
{
    /// <summary>Fills cosines and sines.</summary>
    /// <param name="config">Gives theta and the head's width.</param>
    /// <param name="cosines">(positions, H / 2)</param>
    /// <param name="sines">(positions, H / 2)</param>
    public static void Fill(MistralConfig config, Span<float> cosines, Span<float> sines)
    {
        var pairs = config.HeadSize / 2;
        var frequencies = new float[pairs];
        for (var pair = 0; pair < pairs; pair++)
            frequencies[pair] = (float)(1 / Math.Pow(config.RopeTheta, 2.0 * pair / config.HeadSize));
        for (var i = 0; i < cosines.Length; i++)
        {
            var angle = (float)(i / pairs) * frequencies[i % pairs]; // float32 product, as there
            (var sine, var cosine) = Math.SinCos(angle);
            cosines[i] = (float)cosine;
            sines[i] = (float)sine;
        }
    }
}
