namespace Streaming.Model.Fused.Offload;

/// <summary>The same, with the time of each layer's work in the compute lane.</summary>
internal sealed class TracedResidency(IResidency inner, ILanes lanes) : IResidency
{
    public void BeginForward(bool backward) => inner.BeginForward(backward);

    public void EnterForward(int layer)
    {
        inner.EnterForward(layer);
        lanes.Begin(Lane.Compute);
    }

    public void LeaveForward(int layer)
    {
        lanes.End(Lane.Compute, "forward");
        inner.LeaveForward(layer);
    }

    public void EnterClassifier(bool backward)
    {
        inner.EnterClassifier(backward);
        lanes.Begin(Lane.Compute);
    }

    public void LeaveClassifier(bool backward)
    {
        lanes.End(Lane.Compute, "classifier");
        inner.LeaveClassifier(backward);
    }

    public void EnterBackward(int layer)
    {
        inner.EnterBackward(layer);
        lanes.Begin(Lane.Compute);
    }

    public void LeaveBackward(int layer)
    {
        lanes.End(Lane.Compute, "backward");
        inner.LeaveBackward(layer);
    }

    public void EnterEmbeddingBackward() => inner.EnterEmbeddingBackward();
    public void End() => inner.End();
}
