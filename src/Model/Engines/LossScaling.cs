namespace Streaming.Model.Engines;

/// <summary>
/// Dynamic loss scaling (Micikevicius et al. 2018): fp16 loses gradients below 6e-8, so the loss is multiplied by a power of two
/// that follows what fits. Numbers are those of <c>torch.amp.GradScaler</c>; the kernel <c>clip_by_norm</c> does the same on the device.
/// </summary>
/// <param name="Scale">What the loss is multiplied by.</param>
/// <param name="GoodSteps">Steps with a finite gradient since the scale changed.</param>
public readonly record struct LossScaling(float Scale, int GoodSteps)
{
    public const int GrowthInterval = 2000;

    // Twice as much would still be a float32 value.
    private const float Largest = 1e38f;

    public static LossScaling Initial => new(65536, 0);

    /// <summary>After a step: half as much, at least 1, where the gradient overflowed; twice as much after 2,000 steps without that.</summary>
    public LossScaling After(bool finite)
    {
        if (!finite)
            return new(Math.Max(Scale / 2, 1), 0);
        if (GoodSteps + 1 < GrowthInterval)
            return this with { GoodSteps = GoodSteps + 1 };
        return new(Scale < Largest ? Scale * 2 : Scale, 0);
    }
}
