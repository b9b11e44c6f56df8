namespace Streaming.Model.Tests.Fused.References;

/// <summary>Cross-entropy of one row of logits, and its gradient.</summary>
internal static class ClassifierReference
{
    // A thread adds up to 128 probabilities, 10 steps of the reduction follow; and each errs as CUDA's __expf does, by
    // 2 + 1.173 |x| units in the last place. Weighted by probability, |x| is at most the entropy, log V < 12.
    private const double SumError = (128 + 10 + 2 * (2 + 1.173 * 12)) * Expected.Unit;

    // Probabilities below float32's smallest normal number may come out as zero.
    private const double Underflow = 1.2e-38;

    public static (Expected Loss, Expected[] Gradient) Row(ReadOnlySpan<double> logits, int label, double scale)
    {
        var largest = double.NegativeInfinity;
        foreach (var logit in logits) largest = Math.Max(largest, logit); // NaN if any is
        var sum = 0.0;
        foreach (var logit in logits) sum += Math.Exp(logit - largest);

        var loss = Math.Log(sum) + largest - logits[label];
        var gradient = new Expected[logits.Length];
        for (var i = 0; i < gradient.Length; i++)
        {
            var probability = Math.Exp(logits[i] - largest) / sum;
            var error = SumError + 2 * (4 + 1.173 * Math.Min(largest - logits[i], 100)) * Expected.Unit;
            var hit = i == label ? 1 : 0;
            gradient[i] = new(scale * (probability - hit), Math.Abs(scale) * (error * probability + Underflow + hit * Expected.Unit));
        }
        // The sum's relative error is the logarithm's absolute one; then two float32 additions, whose intermediate value may be
        // as large as the largest logit.
        var terms = double.IsFinite(loss) ? Math.Abs(Math.Log(sum)) + Math.Abs(largest) + Math.Abs(loss) : 0;
        return (new(loss, SumError + 2 * Expected.Unit * terms), gradient);
    }
}
