namespace Limbeck.Benchmarks;

/// <summary>Another engine did not answer.</summary>
internal sealed class PeerException(string message, Exception? inner = null) : Exception(message, inner);
