namespace Limbeck.Tensors.Code;

/// <summary>How a generated function of one pointer is called on x86-64.</summary>
/// <remarks>Both may change rax, rcx, rdx, r8 to r11, the vector registers 0 to 5 and 16 to 31, and the mask registers.</remarks>
internal enum CallConvention
{
    /// <summary>Linux: the argument is in rdi; no vector register need be kept.</summary>
    SystemV,

    /// <summary>Windows: the argument is in rcx; the low 16 bytes of vector registers 6 to 15 must be kept.</summary>
    Windows,
}
