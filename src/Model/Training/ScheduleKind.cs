namespace Streaming.Model;

/// <summary>Shape of the learning rate over the run, names as in Transformers.</summary>
public enum ScheduleKind { Cosine, Linear, Constant, WarmupStableDecay }
