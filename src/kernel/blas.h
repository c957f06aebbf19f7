/* OpenBLAS, which FAISS multiplies with; our own products are kernel.h's. */
#ifndef ERNIE_KERNEL_BLAS_H
#define ERNIE_KERNEL_BLAS_H

/* OpenBLAS has threads of its own, which would compete with ours: this pins it, for
 * the whole process, to the thread that calls it. Called before the first pass. */
void blas_use_one_thread(void);

#endif
