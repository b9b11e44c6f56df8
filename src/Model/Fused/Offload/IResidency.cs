namespace Streaming.Model.Fused.Offload;

/// <summary>What the passes tell as they go through the model, so that weights and gradients are there when kernels need them.</summary>
internal interface IResidency
{
    /// <summary>A forward pass begins, with embedding and norms.</summary>
    /// <param name="backward">A backward pass follows.</param>
    void BeginForward(bool backward);

    void EnterForward(int layer);
    void LeaveForward(int layer);

    /// <summary>The output matrix; its gradient too where a backward pass follows.</summary>
    void EnterClassifier(bool backward);

    void LeaveClassifier(bool backward);
    void EnterBackward(int layer);
    void LeaveBackward(int layer);

    /// <summary>The embedding's gradient is added to.</summary>
    void EnterEmbeddingBackward();

    /// <summary>The pass, forward alone or both, is queued.</summary>
    void End();
}

/// <summary>Everything is on the device all the time.</summary>
internal sealed class AllResident : IResidency
{
    public void BeginForward(bool backward) { }
    public void EnterForward(int layer) { }
    public void LeaveForward(int layer) { }
    public void EnterClassifier(bool backward) { }
    public void LeaveClassifier(bool backward) { }
    public void EnterBackward(int layer) { }
    public void LeaveBackward(int layer) { }
    public void EnterEmbeddingBackward() { }
    public void End() { }
}

/// <summary>Weights are on the device all the time, but the update of the last step may still be under way: a layer waits for its own.</summary>
internal sealed class UpdatedInTurn(StreamedUpdate update) : IResidency
{
    public void BeginForward(bool backward) => update.AwaitEmbedding();
    public void EnterForward(int layer) => update.AwaitLayer(layer);
    public void LeaveForward(int layer) { }
    public void EnterClassifier(bool backward) => update.AwaitClassifier();
    public void LeaveClassifier(bool backward) { }
    public void EnterBackward(int layer) { }
    public void LeaveBackward(int layer) { }
    public void EnterEmbeddingBackward() { }
    public void End() { }
}
