namespace Streaming.Model.Tests.Fused.References;

internal static class EmbeddingReference
{
    /// <summary>gradient (V, D) + for every position the row of outputGradient (N, D), added at its token.</summary>
    public static Expected[] Backward(ReadOnlySpan<float> gradient, ReadOnlySpan<double> outputGradient, ReadOnlySpan<int> tokens, int hidden)
    {
        var sums = new double[gradient.Length];
        var magnitudes = new double[gradient.Length];
        var terms = new int[gradient.Length];
        for (var i = 0; i < gradient.Length; i++) (sums[i], magnitudes[i]) = (gradient[i], Math.Abs(gradient[i]));
        for (var position = 0; position < tokens.Length; position++)
            for (var column = 0; column < hidden; column++)
            {
                var i = tokens[position] * hidden + column;
                var value = outputGradient[position * hidden + column];
                sums[i] += value;
                magnitudes[i] += Math.Abs(value);
                terms[i]++;
            }
        // Each addition rounds a sum that is no larger than the sum of magnitudes; a row that no token names stays as it is.
        var expected = new Expected[sums.Length];
        for (var i = 0; i < sums.Length; i++) expected[i] = new(sums[i], terms[i] * Expected.Unit * magnitudes[i]);
        return expected;
    }
}
